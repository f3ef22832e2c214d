#include <algorithm>
#include <utility>

#include "core/hub_limits.hpp"
#include "core/sender_limits.hpp"
#include "hub/store/log_writer.hpp"
#include "hub/store/row.hpp"

/// The half of LogWriter that removes: what was acknowledged, what is over a conversation's bounds, what has
/// expired, and what the store as a whole has no room for.
namespace sluice::hub::store {
namespace {

constexpr std::size_t kFewRows = 64;   // are looked at before the first of them is removed
constexpr std::size_t kFirstLook = 4;  // what is at its bound removes about as many as it gets
/// What a commit may remove besides when the store is far over its bound, and how much of it is left for rows
/// whosever they are: 1 MiB, which is what a commit adds, of rows of 128 bytes. A tenth of a second.
constexpr std::size_t kHurriedSlice = 24 * limits::kRemovalSlice;
constexpr std::size_t kLeftForAnybodys = 16 * limits::kRemovalSlice;

std::int64_t few(std::size_t budget) {
  return static_cast<std::int64_t>(std::min(budget, kFewRows));
}

}  // namespace

Result<bool> LogWriter::has_work(UnixMs now) {
  if (!removes(now)) return false;
  auto found = finds_work(now);
  if (found || found.error().code != Errc::malformed) return found;
  pause_removal(now, found.error());
  make_indexes_anew(now);
  return false;
}

Result<bool> LogWriter::finds_work(UnixMs now) {
  const auto expired = on_.any_expired.first(now);
  on_.any_expired.reset();
  if (!expired || *expired) return expired;
  if (auto known = know_plans(now); !known) return fail(std::move(known.error()));
  if (!due_.empty() && due_.begin()->first <= now) return true;
  const auto bytes = used();
  if (!bytes) return fail(bytes.error());
  return *bytes > options_.bound || conversations_ > options_.conversations;
}

Status LogWriter::remove_what_must_go(Work& work) {
  if (!removes(work.now)) return {};
  if (auto counted = take_census(); !counted) return counted;
  for (const auto step : {&LogWriter::trim_touched, &LogWriter::expire, &LogWriter::evict,
                          &LogWriter::trim_owing, &LogWriter::forget}) {
    if (auto done = (this->*step)(work); !done) return done;
  }
  work.applied.more = work.applied.more || work.budget == 0;
  return {};
}

Status LogWriter::trim_touched(Work& work) {
  for (auto& [id, row] : work.rows) {
    if (auto trimmed = trim(row, work); !trimmed) return trimmed;
  }
  return {};
}

/// The oldest rows of a conversation, while they are too many, or were acknowledged long enough ago; under
/// pressure all that were. Of an inbox with too many those of the senders go who fill it.
Status LogWriter::trim(Row& row, Work& work, Pressure pressure) {
  const Retention retention = options_.retention(row.conversation);
  const bool is_inbox = row.conversation.kind == Conversation::Kind::user;
  const auto is_over = [&] {
    return !is_inbox && (row.count > retention.count || row.bytes > retention.bytes.count());
  };
  const UnixMs grace_ends = work.now + options_.grace.count();
  if (row.owes && !plans_.contains(row.id)) plan(row.id, {.due = grace_ends, .mark = row.seen});
  const auto planned = plans_.find(row.id);
  const bool is_due =
      planned != plans_.end() && (pressure == Pressure::yes || planned->second.due <= work.now);
  Position mark{};
  if (is_due) mark = pressure == Pressure::yes ? row.seen : planned->second.mark;
  bool more = is_due || is_over();
  if (!more) return is_inbox ? trim_fairly(row, work) : Status{};
  bool acknowledged_left = false;
  for (std::size_t look = kFirstLook; more && work.budget > 0; look *= 2) {
    const auto oldest = collect(on_.oldest_of, on_.oldest_of.first(row.id, few(std::min(look, work.budget))));
    if (!oldest) return fail(oldest.error());
    more = !oldest->empty();
    acknowledged_left = false;
    for (const Old& old : *oldest) {
      const bool acknowledged = old.position <= row.seen;
      more = old.position <= mark || is_over();
      acknowledged_left = acknowledged && !more;
      if (!more) break;
      auto removed = remove(old, acknowledged ? Removal::acknowledged : Removal::trimmed, work);
      if (!removed) return removed;
    }
  }
  if (more) {
    const Position so_far = planned == plans_.end() ? Position{} : planned->second.mark;
    plan(row.id, {.due = work.now, .mark = so_far});
  } else if (is_due && acknowledged_left) {
    plan(row.id, {.due = grace_ends, .mark = row.seen});
  } else if (is_due) {
    drop_plan(row.id);
  }
  const bool owes = plans_.contains(row.id);
  if (owes != row.owes) row.changed = true;
  row.owes = owes;
  return is_inbox ? trim_fairly(row, work) : Status{};
}

/// An inbox that holds more than it may: what its user has acknowledged goes, then what those have sent who
/// fill it, the oldest first. A sender of little is not made to pay for them.
Status LogWriter::trim_fairly(Row& row, Work& work) {
  const Retention bounds = options_.retention(row.conversation);
  const auto is_over = [&] { return row.count > bounds.count || row.bytes > bounds.bytes.count(); };
  if (!is_over()) return {};
  const auto known = senders_of(row, work);
  if (!known) return fail(known.error());
  SenderShares::Inbox* const senders = *known;
  bool again = senders != nullptr && senders->looked_up_to != Position{};
  while (senders != nullptr && is_over() && work.budget > 0) {
    const Position from = senders->looked_up_to;
    const auto next = collect(on_.next_of, on_.next_of.first(row.id, as_integer(from.epoch),
                                                             as_integer(from.offset), few(work.budget)));
    if (!next) return fail(next.error());
    if (next->empty() && !std::exchange(again, false)) break;
    if (next->empty()) senders->looked_up_to = {};
    for (const Old& old : *next) {
      if (!is_over() || work.budget == 0) break;
      senders->looked_up_to = old.position;
      const bool acknowledged = old.position <= row.seen;
      if (!acknowledged && senders->protects(old.sender, bounds)) {
        --work.budget;  // a look is not free
        continue;
      }
      auto removed = remove(old, acknowledged ? Removal::acknowledged : Removal::trimmed, work);
      if (!removed) return removed;
    }
  }
  if (is_over() && !plans_.contains(row.id)) {
    plan(row.id, {.due = work.now + 1});  // not in this transaction once more
    row.owes = row.changed = true;
    work.applied.more = true;
  }
  return {};
}

/// Null: this commit has counted as many inboxes as it may.
Result<SenderShares::Inbox*> LogWriter::senders_of(const Row& row, Work& work) {
  if (SenderShares::Inbox* const known = shares_.inbox(row.id)) return known;
  if (work.tallies++ >= limits::kTalliesPerCommit) return nullptr;
  SenderShares::Inbox inbox;
  auto found = on_.senders_of.first(row.id);
  for (; found && *found; found = on_.senders_of.next()) {
    inbox.add(shares_.sender(on_.senders_of.text(0)),
              {.count = static_cast<std::uint64_t>(on_.senders_of.integer(1)),
               .bytes = static_cast<std::uint64_t>(on_.senders_of.integer(2))});
  }
  if (!found) return fail(std::move(found.error()));
  return &shares_.know(row.id, std::move(inbox));
}

/// From the next transaction on it is counted whose the rows are that are there now.
Status LogWriter::begin_census() {
  if (census_begun_) return {};
  const auto last = on_.last_row.first();
  if (!last) return fail(last.error());
  shares_.begin_census(on_.last_row.integer(0));
  on_.last_row.reset();
  census_begun_ = true;
  return {};
}

/// Counts some of the rows that were there at the start, once the store is half full.
Status LogWriter::take_census() {
  if (!census_begun_ || shares_.is_complete()) return {};
  const auto bytes = used();
  if (!bytes) return fail(bytes.error());
  if (*bytes <= options_.bound / 2) return {};
  std::size_t rows = 0;
  auto found = on_.census.first(shares_.counted_to(), shares_.census_end(),
                                static_cast<std::int64_t>(limits::kCensusSlice));
  for (; found && *found; found = on_.census.next(), ++rows) {
    shares_.count(on_.census.integer(0), shares_.sender(on_.census.text(1)),
                  static_cast<std::uint64_t>(on_.census.integer(2)));
  }
  if (!found) return fail(std::move(found.error()));
  if (rows < limits::kCensusSlice) shares_.end_census();
  return {};
}

/// Conversations whose grace has ended, or that an earlier transaction has left unfinished.
Status LogWriter::trim_owing(Work& work) {
  while (work.budget > 0 && !due_.empty() && due_.begin()->first <= work.now) {
    --work.budget;  // a look is not free
    const auto row = row_by_id(due_.begin()->second, work);
    if (!row) return fail(row.error());
    if (*row == nullptr) {
      drop_plan(due_.begin()->second);
      continue;
    }
    if (auto trimmed = trim(**row, work); !trimmed) return trimmed;
  }
  return {};
}

/// After an opening, or an error: what is owed gets a grace from now on.
Status LogWriter::know_plans(UnixMs now) {
  if (plans_known_) return {};
  plans_.clear();
  due_.clear();
  auto found = on_.owing.first();
  for (; found && *found; found = on_.owing.next()) {
    plan(on_.owing.integer(0), {.due = now + options_.grace.count(),
                                .mark = as_position(on_.owing.integer(1), on_.owing.integer(2))});
  }
  if (!found) return fail(std::move(found.error()));
  plans_known_ = true;
  return {};
}

void LogWriter::plan(std::int64_t conversation, Plan plan) {
  drop_plan(conversation);
  due_.emplace(plan.due, conversation);
  plans_.emplace(conversation, plan);
}

void LogWriter::drop_plan(std::int64_t conversation) {
  const auto known = plans_.find(conversation);
  if (known == plans_.end()) return;
  due_.erase({known->second.due, conversation});
  plans_.erase(known);
}

Status LogWriter::expire(Work& work) {
  while (work.budget > 0) {
    const auto expired = collect(on_.expired, on_.expired.first(work.now, few(work.budget)));
    if (!expired) return fail(expired.error());
    if (expired->empty()) return {};
    for (const Old& old : *expired) {
      if (auto removed = remove(old, Removal::expired, work); !removed) return removed;
    }
  }
  return {};
}

/// What was acknowledged goes first, then the oldest of the senders who fill the store. Where that is over
/// its bound by half the slack, commits would soon find no page for anybody: then one removes more than a
/// slice, and in the end the oldest of all. They go as well where all of the store is protected.
Status LogWriter::evict(Work& work) {
  const Bytes most = options_.bound + limits::kStoreSlack / 2;
  std::size_t look = kFirstLook;
  while (work.budget > 0) {
    const auto bytes = used();
    if (!bytes) return fail(bytes.error());
    if (*bytes <= options_.bound) {
      work.eviction.spares_nobody = false;
      return {};
    }
    if (!due_.empty()) {
      --work.budget;
      const auto row = row_by_id(due_.begin()->second, work);
      if (!row) return fail(row.error());
      if (*row == nullptr) {
        drop_plan(due_.begin()->second);
      } else if (auto trimmed = trim(**row, work, Pressure::yes); !trimmed) {
        return trimmed;
      }
      continue;
    }
    if (*bytes > most && !std::exchange(work.hurries, true)) work.budget += kHurriedSlice;
    const bool spares_nobody =
        work.eviction.spares_nobody || (*bytes > most && work.budget <= kLeftForAnybodys);
    const std::size_t before = work.applied.removed_rows;
    auto evicted = evict_some(work, look, spares_nobody ? Pressure::yes : Pressure::no);
    if (!evicted) return fail(evicted.error());
    if (!*evicted) return {};
    // What is removed row by row does not free more than it must.
    look = work.applied.removed_rows > before ? kFirstLook : std::min(2 * look, kFewRows);
  }
  return {};
}

/// False: there is nothing. Under pressure nobody is protected.
Result<bool> LogWriter::evict_some(Work& work, std::size_t look, Pressure pressure) {
  Eviction& pass = work.eviction;
  const bool spares_nobody = pressure == Pressure::yes;
  const std::int64_t from = spares_nobody ? 0 : pass.looked_up_to;
  const auto oldest = collect(on_.oldest, on_.oldest.first(from, few(std::min(look, work.budget))));
  if (!oldest) return fail(oldest.error());
  if (oldest->empty()) {
    if (from == 0) return false;
    pass = {.spares_nobody = !pass.has_freed};
    return true;
  }
  for (const Old& old : *oldest) {
    if (!spares_nobody && shares_.protects(old.sender)) {
      pass.looked_up_to = old.seq;
      charge_look(work);
      continue;
    }
    if (auto removed = remove(old, Removal::evicted, work); !removed) return fail(std::move(removed.error()));
    pass.has_freed = true;
  }
  return true;
}

/// A look at a protected row costs an eighth of a removal, so that a store that begins with many of them is
/// passed in a few commits.
void LogWriter::charge_look(Work& work) {
  constexpr std::size_t kLooksPerRemoval = 8;
  if (++work.looks % kLooksPerRemoval == 0 && work.budget > 0) --work.budget;
}

/// Empty conversations that nobody has used for longest. Whoever begins one of that name again goes on behind
/// the floor, so that no position is ever given out twice.
Status LogWriter::forget(Work& work) {
  std::size_t left = conversations_ + work.new_conversations;
  for (std::size_t i = 0; left > options_.conversations; ++i, --left) {
    const auto found = on_.oldest_empty.first();
    if (!found) return fail(found.error());
    if (!*found) return {};
    if (i == limits::kForgetSlice) {
      on_.oldest_empty.reset();
      work.applied.more = true;
      return {};
    }
    const std::int64_t id = on_.oldest_empty.integer(0);
    const std::int64_t head = on_.oldest_empty.integer(1);
    on_.oldest_empty.reset();
    if (work.rows.contains(id)) return {};  // in use at this moment
    if (auto raised = on_.raise_floor.run(head); !raised) return raised;
    if (auto forgotten = on_.forget_history.run(id); !forgotten) return forgotten;
    if (auto forgotten = on_.forget.run(id); !forgotten) return forgotten;
    if (auto forgotten = on_.forget_marks.run(id); !forgotten) return forgotten;
    drop_plan(id);
    ++work.applied.forgotten;
  }
  return {};
}

/// A row that belongs to no conversation goes as well; one that contradicts its conversation has that
/// counted again.
Status LogWriter::remove(const Old& old, Removal why, Work& work) {
  const auto found = row_by_id(old.conversation, work);
  if (!found) return fail(found.error());
  if (auto removed = on_.remove.run(old.seq); !removed) return removed;
  shares_.removed(old.conversation, old.seq, old.sender, old.size);
  --work.budget;
  ++work.applied.removed_rows;
  Row* const row = *found;
  if (row == nullptr) {
    if (options_.damage != nullptr)
      options_.damage->note({.kind = Conversation::Kind::all}, "a message of nobody's");
    ++work.applied.removed.at(static_cast<std::size_t>(Conversation::Kind::all))
          .at(static_cast<std::size_t>(Removal::damaged));
    // Its conversation counts it still, as one more than there are.
    return {};
  }
  ++work.applied.removed.at(static_cast<std::size_t>(row->conversation.kind))
        .at(static_cast<std::size_t>(why));
  row->changed = true;
  if (row->count == 0 || row->bytes < old.size) {
    const auto counted = static_cast<std::int64_t>(row->count);
    if (options_.damage != nullptr) options_.damage->note(row->conversation, "a message's size");
    if (auto recounted = recount(*row); !recounted) return recounted;
    work.applied.recounted += static_cast<std::int64_t>(row->count) + 1 - counted;
    return {};
  }
  --row->count;
  row->bytes -= old.size;
  return {};
}

/// All rows of a statement that yields few.
Result<std::vector<LogWriter::Old>> LogWriter::collect(sqlite::Statement& statement, Result<bool> row) const {
  std::vector<Old> rows;
  while (row && *row) {
    rows.push_back({.seq = statement.integer(0),
                    .conversation = statement.integer(1),
                    .size = static_cast<std::uint64_t>(statement.integer(2)),
                    .position = as_position(statement.integer(3), statement.integer(4)),
                    .sender = shares_.sender(statement.text(5))});
    row = statement.next();
  }
  if (!row) return fail(std::move(row.error()));
  return rows;
}

/// Pages that hold something; free ones are used again before the file grows.
Result<Bytes> LogWriter::used() {
  const auto pages = on_.pages.first();
  if (!pages) return fail(pages.error());
  const std::int64_t all = on_.pages.integer(0);
  on_.pages.reset();
  const auto free_pages = on_.free_pages.first();
  if (!free_pages) return fail(free_pages.error());
  const std::int64_t unused = on_.free_pages.integer(0);
  on_.free_pages.reset();
  return Bytes{static_cast<std::uint64_t>(all - unused) * 4096};
}

}  // namespace sluice::hub::store
