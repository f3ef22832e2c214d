#include "hub/store/writer.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "observe/log.hpp"

namespace sluice::hub::store {
namespace {

constexpr std::string_view kRoom = "store";

/// Conversations have room in the file, whatever it is bounded to.
std::size_t conversations_within(const StoreOptions& options, Bytes bound) {
  return std::min<std::size_t>(options.conversations, bound.count() / 1024);
}

std::string in_hours(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::hours>(std::chrono::abs(time)).count()) +
         " h " +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(time)).count() %
                        3'600) +
         " s";
}

void tell_of_start(const ExpiryClock& clock) {
  const auto stop = clock.jump_at_start();
  if (!stop) return;
  observe::log(observe::LogLevel::warn, kRoom,
               *stop < std::chrono::milliseconds::zero()
                   ? "the system's clock is " + in_hours(*stop) +
                         " behind the time at which this hub ran last; messages grow older from there on"
                   : "this hub did not run for " + in_hours(*stop) +
                         ", or the system's clock is wrong; messages are kept as if it had stopped just now");
}

}  // namespace

Result<std::unique_ptr<Store::Writer>> Store::Writer::open(StoreOptions options) {
  if (options.bound < limits::kMinStoreBytes) {
    return fail(Errc::invalid_argument, "The store needs " + std::to_string(limits::kMinStoreBytes.count()) +
                                            " bytes at least; it was given " +
                                            std::to_string(options.bound.count()) + ".");
  }
  auto folder = Folder::hold(options.folder);
  if (!folder) return fail(std::move(folder.error()));
  auto opened =
      open_database(*folder, options.bound, {.now = options.clocks().wall, .random = options.random()});
  if (!opened) return fail(std::move(opened.error()));
  auto damage = std::make_unique<Damage>();
  auto log =
      LogWriter::prepare(opened->database, {.retention = options.retention,
                                            .bound = options.bound,
                                            .conversations = conversations_within(options, options.bound),
                                            .grace = options.grace,
                                            .damage = damage.get()});
  if (!log) return fail(std::move(log.error()));
  const auto rows = opened->database.figure("SELECT coalesce(sum(count), 0) FROM conversation");
  if (!rows) return fail(rows.error());
  const auto last = clock_record(opened->database);
  if (!last) return fail(last.error());
  const ExpiryClock clock{options.clocks(), *last};
  tell_of_start(clock);
  return std::unique_ptr<Writer>{new Writer{{.options = std::move(options),
                                             .folder = std::move(*folder),
                                             .opened = std::move(*opened),
                                             .damage = std::move(damage),
                                             .log = std::move(*log),
                                             .clock = clock,
                                             .ended_before = last->time,
                                             .rows = static_cast<std::uint64_t>(*rows)}}};
}

Store::Writer::Writer(Parts parts)
    : options_(std::move(parts.options)),
      folder_(std::move(parts.folder)),
      epochs_(std::move(parts.opened.epochs)),
      database_(std::move(parts.opened.database)),
      damage_(std::move(parts.damage)),
      log_(std::move(parts.log)),
      ended_before_(parts.ended_before),
      clock_(parts.clock),
      watched_(parts.clock),
      recorded_at_(parts.ended_before),
      queue_(options_.queue),
      books_{.rows_at_open = parts.rows, .rows = parts.rows},
      bound_(options_.bound),
      thread_([this] { run(); }) {}

Store::Writer::~Writer() {
  {
    const std::scoped_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  ENSURE(queue_.unsettled() == 0);
}

Status Store::Writer::append(Append append) {
  const std::scoped_lock lock{mutex_};
  if (health_.failing && Clock::now() < retry_at_) {
    ++books_.refused_broken;
    return fail(Errc::io, "The store has failed: " + describe(*health_.failing));
  }
  const bool was_empty = queue_.empty();
  if (!queue_.push(std::move(append))) {
    ++books_.refused_full;
    return fail(Errc::busy, "Too many messages wait to be stored.");
  }
  ++books_.appended;
  if (was_empty && options_.gather > Duration::zero()) appended_at_ = Clock::now();
  if (was_empty || queue_.fills_commit()) changed_.notify_one();
  return {};
}

void Store::Writer::acknowledge(Mark mark) {
  const bool noted = acknowledgements_.note(std::move(mark));
  const std::scoped_lock lock{mutex_};
  if (!noted) {
    ++books_.acknowledgements_dropped;
  } else if (!acknowledged_at_) {
    acknowledged_at_ = Clock::now();
    changed_.notify_one();
  }
}

void Store::Writer::set_bound(Bytes bound) {
  ENSURE(bound >= limits::kMinStoreBytes);
  const std::scoped_lock lock{mutex_};
  bound_ = bound;
  changed_.notify_one();
}

Reader::Source Store::Writer::source() const {
  return {.database = folder_.database(),
          .epochs = epochs_,
          .acknowledgements = acknowledgements_,
          .damage = damage_.get()};
}

Health Store::Writer::health() const {
  const std::scoped_lock lock{mutex_};
  return health_;
}

Books Store::Writer::books() const {
  const std::scoped_lock lock{mutex_};
  Books books = books_;
  books.waiting = queue_.unsettled();
  books.damaged = damage_->count();
  return books;
}

bool Store::Writer::at_rest() const {
  const std::scoped_lock lock{mutex_};
  return queue_.unsettled() == 0 && !committing_;
}

void Store::Writer::run() {
  std::unique_lock lock{mutex_};
  while (wait_for_work(lock)) {
    Task task{.batch = {}, .before = health_, .bound = bound_};
    if (appends_due(Clock::now())) task.batch.appends = queue_.take();
    if (acknowledged_at_.has_value()) {
      acknowledged_at_.reset();
      task.batch.acknowledged = acknowledgements_.take();
    }
    committing_ = true;
    lock.unlock();
    auto applied = carry_out(task);
    if (applied && task.batch.clock) recorded_at_ = task.batch.clock->time;
    settle(std::move(task.batch), std::move(applied));
    keep_log_short();
    lock.lock();
  }
  lock.unlock();
  record_end();
}

/// Tells of a wall clock that was set, and what the file is to know of the time.
ClockRecord Store::Writer::look_at_clocks() {
  const ClockReading at = options_.clocks();
  if (const auto set = watched_.observe(at)) {
    observe::log(observe::LogLevel::warn, kRoom,
                 "the system's clock was set " +
                     std::string{*set > std::chrono::milliseconds::zero() ? "ahead" : "back"} + " by " +
                     in_hours(*set) + "; messages expire as if it had not been");
  }
  return {.time = clock_.now(at), .wall = at.wall};
}

/// So that the next run knows how long the stop was. After a kill it may be up to a minute more.
void Store::Writer::record_end() {
  if (health_.failing) return;
  const ClockRecord clock = look_at_clocks();
  std::ignore = log_.apply({.clock = clock}, clock.time);
}

/// False: it stops, and nothing waits any more.
bool Store::Writer::wait_for_work(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (stopping_) return !queue_.empty() || (acknowledged_at_ && !health_.failing);
    const auto turn = next_turn();
    const TimePoint now = Clock::now();
    if (turn && *turn <= now) return true;
    changed_.wait_until(lock, turn.value_or(now + limits::kExpirySweep));
  }
}

/// When there is something to do; now, or in the past: at once.
std::optional<TimePoint> Store::Writer::next_turn() const {
  TimePoint turn = sweep_at_;
  if (acknowledged_at_) turn = std::min(turn, *acknowledged_at_ + limits::kAcknowledgementDelay);
  if (more_ || queue_.fills_commit() || bound_ != log_.bound()) turn = TimePoint{};
  if (!queue_.empty()) turn = std::min(turn, appended_at_ + options_.gather);
  return health_.failing ? std::max(turn, retry_at_) : turn;
}

/// A turn that comes for something else leaves appends to gather on.
bool Store::Writer::appends_due(TimePoint now) const {
  return stopping_ || queue_.fills_commit() || (!queue_.empty() && appended_at_ + options_.gather <= now);
}

Result<Applied> Store::Writer::carry_out(Task& task) {
  const Batch& batch = task.batch;
  if (task.bound != log_.bound()) {
    if (auto set = bound_file(database_, task.bound); !set) return fail(std::move(set.error()));
    log_.set_bounds(task.bound, conversations_within(options_, task.bound));
  }
  // As long as the log cannot be moved into the file, it must not grow.
  if (database_.log_pages() >= limits::kMaxLogPages) {
    auto moved = database_.checkpoint(sqlite::Database::Checkpoint::emptied);
    if (!moved) return fail(std::move(moved.error()));
  }
  const ClockRecord clock = look_at_clocks();
  const UnixMs now = clock.time;
  if (now - recorded_at_ >= std::chrono::milliseconds{limits::kClockRecordEvery}.count())
    task.batch.clock = clock;
  if (!batch.empty()) return log_.apply(batch, now);
  if (task.before.failing) {
    if (auto written = log_.probe(); !written) return fail(std::move(written.error()));
  }
  const auto work = log_.has_work(now);
  if (!work) return fail(work.error());
  return *work || batch.clock ? log_.apply(batch, now) : Applied{};
}

void Store::Writer::settle(Batch batch, Result<Applied> applied) {
  {
    const std::scoped_lock lock{mutex_};
    sweep_at_ = Clock::now() + limits::kExpirySweep;
    more_ = applied && applied->more;
    committing_ = false;
    queue_.settled(batch.appends);
    if (applied) {
      enter(batch, *applied);
      acknowledgements_.committed();
      health_.failing.reset();
      if (!batch.empty()) note_success();
    } else {
      books_.failed += batch.appends.size();
      acknowledgements_.failed();
      if (!acknowledged_at_ && !batch.acknowledged.empty()) acknowledged_at_ = Clock::now();
      note_failure(applied.error());
    }
  }
  hand_over(batch, applied);
}

void Store::Writer::enter(const Batch& batch, const Applied& applied) {
  const std::uint64_t failed = applied.misplaced.size() + applied.damaged.size();
  const std::uint64_t stored = batch.appends.size() - failed;
  books_.committed += stored;
  books_.failed += failed;
  books_.commits += batch.empty() && applied.removed_rows == 0 && applied.forgotten == 0 ? 0 : 1;
  books_.acknowledgements += applied.acknowledgements;
  books_.forgotten += applied.forgotten;
  const auto recounted = static_cast<std::uint64_t>(applied.recounted);  // wraps where it is negative
  books_.rows_at_open += recounted;
  books_.rows += stored - applied.removed_rows + recounted;
  for (std::size_t kind = 0; kind < kConversationKinds; ++kind) {
    for (std::size_t why = 0; why < kRemovals; ++why) books_.removed[kind][why] += applied.removed[kind][why];
  }
}

/// A real commit: that a page could be written does not end a series of failures.
void Store::Writer::note_success() {
  if (health_.failures > 0) observe::log(observe::LogLevel::info, kRoom, "messages are stored again");
  health_ = {};
  pause_ = {};
}

void Store::Writer::note_failure(Error error) {
  pause_ = pause_ == Duration{} ? Duration{limits::kStoreRetry}
                                : std::min<Duration>(2 * pause_, limits::kMaxStoreRetry);
  retry_at_ = Clock::now() + pause_;
  if (health_.failures == 0) {
    observe::log(observe::LogLevel::error, kRoom,
                 "messages cannot be stored in " + folder_.path().string() + ": " + describe(error));
  }
  ++health_.failures;
  health_.failing = std::move(error);
}

void Store::Writer::hand_over(const Batch& batch, const Result<Applied>& applied) const {
  std::map<std::uint32_t, std::vector<Completion>> shards;
  using Indexes = std::span<const std::size_t>;
  auto misplaced = applied ? Indexes{applied->misplaced} : Indexes{};
  auto damaged = applied ? Indexes{applied->damaged} : Indexes{};
  const auto is_next = [](Indexes& of, std::size_t index) {
    if (of.empty() || of.front() != index) return false;
    of = of.subspan(1);
    return true;
  };
  for (std::size_t i = 0; i < batch.appends.size(); ++i) {
    const Append& append = batch.appends[i];
    Status outcome;
    if (!applied) {
      outcome = fail(applied.error());
    } else if (is_next(damaged, i)) {
      outcome = fail(Errc::malformed, "The hub's database is damaged where the message belongs.");
    } else if (is_next(misplaced, i)) {
      outcome = fail(Errc::invalid_argument, "The message is not behind the last of its conversation.");
    }
    shards[append.shard].push_back({.ticket = append.ticket, .outcome = std::move(outcome)});
  }
  for (auto& [shard, completions] : shards) options_.on_stored(shard, std::move(completions));
}

/// After those who waited for the commit have been told: this takes two syncs of its own. An error is not
/// lost: the log grows on, and before it is too long the same error fails the commits.
void Store::Writer::keep_log_short() {
  if (database_.log_pages() >= limits::kLogPages)
    std::ignore = database_.checkpoint(sqlite::Database::Checkpoint::when_free);
}

}  // namespace sluice::hub::store
