#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>

#include "core/hub_limits.hpp"
#include "hub/store/log_writer.hpp"
#include "hub/store/row.hpp"
#include "hub/store/small_rows.hpp"
#include "observe/log.hpp"

/// What LogWriter does about a file that gives back something else than what was written.
namespace sluice::hub::store {

/// From its messages: they have checksums of their own. Where it began and what was acknowledged of it is not
/// known any more, so that what is there comes again rather than being lost.
Status LogWriter::repair(Row& row) {
  const auto numbered = furthest(row.id);
  if (!numbered) return fail(numbered.error());
  const auto newest = on_.newest_of.first(row.id);
  if (!newest) return fail(newest.error());
  if (*newest) {
    row.head = std::max(as_position(on_.newest_of.integer(0), on_.newest_of.integer(1)), *numbered);
    on_.newest_of.reset();
    const auto oldest = on_.oldest_of.first(row.id, std::int64_t{1});
    if (!oldest) return fail(oldest.error());
    row.seen = {.epoch = 0, .offset = *oldest ? static_cast<std::uint64_t>(on_.oldest_of.integer(4)) - 1 : 0};
    on_.oldest_of.reset();
  } else {
    const auto floor = on_.floor.first();
    if (!floor) return fail(floor.error());
    const std::uint64_t begin = *floor ? static_cast<std::uint64_t>(on_.floor.integer(0)) : 0;
    on_.floor.reset();
    row.head = {.epoch = numbered->epoch, .offset = std::max(begin, numbered->offset)};
    row.seen = {.epoch = 0, .offset = row.head.offset};
  }
  row.owes = false;
  return recount(row);
}

/// The last position that is known to be given out, beside its messages.
Result<Position> LogWriter::furthest(std::int64_t id) {
  Position furthest{};
  auto found = on_.marks_of.first(id);
  for (; found && *found; found = on_.marks_of.next())
    furthest = std::max(furthest, mark_in(on_.marks_of).value_or(Position{}));
  if (!found) return fail(std::move(found.error()));
  found = on_.begins_of.first(id);
  for (; found && *found; found = on_.begins_of.next())
    furthest = std::max(furthest, begin_in(on_.begins_of).value_or(Position{}));
  if (!found) return fail(std::move(found.error()));
  return furthest;
}

Status LogWriter::recount(Row& row) {
  const auto sums = on_.sums_of.first(row.id);
  if (!sums) return fail(sums.error());
  row.count = static_cast<std::uint64_t>(on_.sums_of.integer(0));
  row.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, on_.sums_of.integer(1)));
  on_.sums_of.reset();
  row.changed = true;
  return {};
}

void LogWriter::pause_removal(UnixMs now, const Error& why) {
  if (removes(now)) {
    observe::log(
        observe::LogLevel::error, "store",
        "The hub's database is damaged: " + describe(why) +
            ". What needs the damaged part fails, and nothing is removed for a minute. Stop the hub, "
            "check the disk, and restore a backup");
  }
  removal_from_ = now + std::chrono::milliseconds{limits::kRemovalPause}.count();
}

/// It takes some seconds for each million messages.
void LogWriter::make_indexes_anew(UnixMs now) {
  if (now < reindex_from_) return;
  reindex_from_ = now + std::chrono::milliseconds{limits::kReindexEvery}.count();
  if (on_.reindex.run()) removal_from_ = now;
}

Result<Applied> LogWriter::attempt_each(const Batch& batch, UnixMs now) {
  if (auto begun = on_.begin.run(); !begun) return fail(std::move(begun.error()));
  Work all{.now = now, .eviction = eviction_};
  return finish(all, carry_out_each(batch, all));
}

/// Each append and each mark by itself, and nothing else.
Status LogWriter::carry_out_each(const Batch& batch, Work& all) {
  for (std::size_t i = 0; i < batch.appends.size(); ++i) {
    const auto stored = alone(all, [&](Work& one) { return append(batch.appends[i], i, one); });
    if (!stored) return fail(stored.error());
    if (!*stored) all.applied.damaged.push_back(i);
  }
  for (const auto& mark : batch.acknowledged) {
    const auto marked = alone(all, [&](Work& one) { return acknowledge(mark, one); });
    if (!marked) return fail(marked.error());
  }
  return ids_.add({}, all.now);  // nothing of the attempt before is to be taken for committed
}

/// False: it cannot be done, and is undone.
template <typename Step>
Result<bool> LogWriter::alone(Work& all, Step&& step) {
  if (auto begun = on_.begin_one.run(); !begun) return fail(std::move(begun.error()));
  const std::size_t counted = shares_.changes();
  Work one{.now = all.now};
  Status done = std::forward<Step>(step)(one);
  settle_marks(one);
  if (done) done = write_rows(one);
  const bool is_done = done.has_value();
  if (!is_done) {
    if (done.error().code != Errc::malformed) return fail(std::move(done.error()));
    if (auto undone = on_.undo_one.run(); !undone) return fail(std::move(undone.error()));
    shares_.undo(counted);
  }
  if (auto ended = on_.end_one.run(); !ended) return fail(std::move(ended.error()));
  if (!is_done) return false;
  std::ranges::copy(one.applied.misplaced, std::back_inserter(all.applied.misplaced));
  all.applied.acknowledgements += one.applied.acknowledgements;
  all.applied.recounted += one.applied.recounted;
  all.new_conversations += one.new_conversations;
  return true;
}

}  // namespace sluice::hub::store
