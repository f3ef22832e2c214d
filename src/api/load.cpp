#include "api/load.hpp"

#include <algorithm>
#include <sys/resource.h>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "core/hub_limits.hpp"
#include "core/limits.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
using Mode = LoadOptions::Mode;

constexpr auto kLook = std::chrono::milliseconds{100};
constexpr auto kProgress = std::chrono::seconds{1};
/// Clients that connect at the same time, but for a storm: what a hub lets shake hands from one address.
constexpr std::size_t kConnectAtOnce = 16;

Duration cpu_now() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

}  // namespace

std::string LoadReport::verdict() const {
  std::string wrong;
  const auto note = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) wrong += fmt::format("{}{} {}", wrong.empty() ? "" : ", ", count, what);
  };
  note(missing, "missing");
  note(duplicates, "twice");
  note(out_of_order, "out of order");
  note(untold, "behind a hole that was not told");
  note(counts.normal_cut, "normal clients cut");
  note(counts.strange, "of no meaning");
  if (counts.sent != counts.accepted + counts.refused + unanswered)
    note(counts.sent - counts.accepted - counts.refused - unanswered, "never answered");
  return wrong;
}

LoadRun::LoadRun(asio::any_io_executor executor, LoadOptions options,
                 std::function<void(const LoadReport&)> progress)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      progress_(std::move(progress)),
      stopped_(executor_) {}

LoadRun::~LoadRun() = default;

void LoadRun::stop() {
  stop_ = true;
  stopped_.notify();
}

asio::awaitable<std::optional<Failure>> LoadRun::run() {
  const std::size_t threads = std::min(options_.threads, options_.clients);
  for (std::size_t i = 0; i < threads; ++i)
    shards_.push_back(std::make_unique<LoadShard>(options_, LoadShard::Part{.first = i, .step = threads}));
  auto failure = co_await connect();
  if (!failure) {
    co_await send();
    co_await settle();
  }
  for (const auto& shard : shards_) shard->close();
  const Duration pause = failure ? Duration::zero() : Duration{limits::kLoadClose};
  (void)co_await wait(pause);
  shards_.clear();
  co_return failure;
}

/// Reads how things stand in all threads.
asio::awaitable<void> LoadRun::look() {
  struct Answers {
    explicit Answers(const asio::any_io_executor& executor) : came(executor) {}
    std::vector<LoadSnapshot> all;
    runtime::WakeUp came;
  };
  const auto answers = std::make_shared<Answers>(executor_);
  for (const auto& shard : shards_) {
    shard->look([answers, executor = executor_](LoadSnapshot snapshot) {
      asio::post(executor, [answers, snapshot = std::move(snapshot)]() mutable {
        answers->all.push_back(std::move(snapshot));
        answers->came.notify();
      });
    });
  }
  while (answers->all.size() < shards_.size()) co_await answers->came.wait();
  sum_up(answers->all);
  if (Clock::now() - progress_at_ < kProgress) co_return;
  progress_at_ = Clock::now();
  if (progress_) progress_(report_);
}

void LoadRun::sum_up(const std::vector<LoadSnapshot>& snapshots) {
  LoadReport now{.clients = options_.clients,
                 .sending = report_.sending,
                 .connect_took = report_.connect_took,
                 .back_took = report_.back_took,
                 .cpu = cpu_now() - cpu_before_};
  now.slow = static_cast<std::size_t>(static_cast<double>(options_.clients) * options_.slow + 1e-9);
  std::vector<ConversationBook> sent_to;
  for (const LoadSnapshot& snapshot : snapshots) {
    now.counts += snapshot.counts;
    now.latencies.merge(snapshot.latencies);
    now.failed_attempts += snapshot.failed_attempts;
    if (snapshot.last_failure) last_failure_ = snapshot.last_failure;
    sent_to.resize(snapshot.sent_to.size());
    for (std::size_t i = 0; i < sent_to.size(); ++i) {
      sent_to[i] += snapshot.sent_to[i];
      now.unanswered += snapshot.sent_to[i].unanswered;
    }
  }
  settled_ = true;
  for (const LoadSnapshot& snapshot : snapshots) {
    for (const LoadSnapshot::Receiver& receiver : snapshot.receivers) {
      now.ready += receiver.ready ? 1 : 0;
      now.delivered += receiver.delivered;
      now.gapped += receiver.gapped;
      now.out_of_order += receiver.out_of_order;
      now.duplicates += receiver.duplicates;
      now.untold += receiver.untold;
      if (receiver.over) continue;  // what it was not given any more it may resume for
      const Balance open = balance(sent_to[receiver.conversation], receiver.delivered, receiver.gapped);
      now.missing += open.missing;
      now.duplicates += open.surplus;
      settled_ = settled_ && receiver.ready && receiver.unanswered == 0 && open.missing == 0;
    }
  }
  report_ = std::move(now);
}

/// False: it was stopped meanwhile.
asio::awaitable<bool> LoadRun::wait(Duration time) {
  const TimePoint until = Clock::now() + time;
  asio::steady_timer timer{executor_};
  while (!stop_ && Clock::now() < until) {
    timer.expires_after(std::min<Duration>(kLook, until - Clock::now()));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return !stop_;
}

asio::awaitable<std::optional<Failure>> LoadRun::connect() {
  const TimePoint began = Clock::now();
  for (const auto& shard : shards_) shard->connect(std::max<std::size_t>(1, kConnectAtOnce / shards_.size()));
  while (report_.ready < options_.clients) {
    if (!co_await wait(kLook / 2)) co_return std::nullopt;
    co_await look();
    const Duration passed = Clock::now() - began;
    const bool nobody = report_.ready == 0 && last_failure_ && passed > limits::kConnectTimeout;
    const bool hopeless = last_failure_ && last_failure_->code == Errc::unsupported;
    if (passed < limits::kLoadConnect && !nobody && !hopeless && report_.counts.normal_cut == 0) continue;
    Error why{.code = Errc::timed_out,
              .message = fmt::format("only {} of {} clients came in", report_.ready, options_.clients)};
    if (!report_.counts.last_trouble.empty()) why.message += ": " + report_.counts.last_trouble;
    if (report_.counts.normal_cut > 0) {  // the hub was reached, and wants none of them
      why.code = Errc::refused;
      if (report_.ready == 0) why.message += " A load is for an open hub.";
      co_return Failure{.stage = Stage::running, .error = std::move(why)};
    }
    if (last_failure_) why = std::move(*last_failure_).as_cause_of(last_failure_->code, why.message);
    co_return Failure{.stage = Stage::hub, .error = std::move(why)};
  }
  report_.connect_took = Clock::now() - began;
  co_return std::nullopt;
}

asio::awaitable<void> LoadRun::send() {
  if (stop_) co_return;
  sending_since_ = Clock::now();
  cpu_before_ = cpu_now();
  for (const auto& shard : shards_) shard->begin_sending(sending_since_);
  const TimePoint until = sending_since_ + options_.duration;
  bool stormed = options_.mode != Mode::storm;
  while (Clock::now() < until) {
    const Duration left = until - Clock::now();
    if (!co_await wait(std::min<Duration>(kLook, left))) break;
    report_.sending = Clock::now() - sending_since_;
    co_await look();
    if (stormed || Clock::now() < sending_since_ + options_.duration / 2) continue;
    stormed = true;
    co_await storm();
  }
  for (const auto& shard : shards_) shard->stop_sending();
  report_.sending = Clock::now() - sending_since_;
}

/// Nobody sends until all are back, so that it can be seen when they have caught up.
asio::awaitable<void> LoadRun::storm() {
  for (const auto& shard : shards_) shard->stop_sending();
  const TimePoint began = Clock::now();
  for (const auto& shard : shards_) shard->storm();
  // Not before they have gone can they be back.
  while (report_.counts.reconnects + report_.counts.slow_cut + report_.counts.normal_cut < options_.clients) {
    if (!co_await wait(kLook / 10)) co_return;
    co_await look();
    if (Clock::now() - began > limits::kLoadConnect) co_return;
  }
  while (!settled_ && Clock::now() - began < limits::kLoadConnect) {
    if (!co_await wait(kLook / 10)) co_return;
    co_await look();
  }
  report_.back_took = Clock::now() - began;
  for (const auto& shard : shards_) shard->begin_sending(Clock::now());
}

asio::awaitable<void> LoadRun::settle() {
  for (const auto& shard : shards_) shard->hurry();
  const TimePoint until = Clock::now() + limits::kLoadSettle;
  do {
    if (!co_await wait(kLook / 2)) break;
    co_await look();
  } while (!settled_ && Clock::now() < until);
}

}  // namespace sluice::api
