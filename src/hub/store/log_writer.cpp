#include "hub/store/log_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/hub_limits.hpp"
#include "crypto/random.hpp"
#include "hub/store/preparing.hpp"
#include "hub/store/row.hpp"
#include "hub/store/row_check.hpp"
#include "hub/store/small_rows.hpp"

namespace sluice::hub::store {
namespace {

using sqlite::Database;
using sqlite::Statement;

std::uint64_t stored_size(const wire::hub::Delivery& message) {
  return limits::kRowOverhead.count() + message.from.size() + message.id.size() + message.key.size() +
         message.content.bytes.size();
}

/// The end of its own time or of its conversation's age, whichever comes first.
std::int64_t goes_at(const Append& append, const Retention& retention, UnixMs now) {
  const std::int64_t age = retention.age.count();
  const UnixMs by_age = age > INT64_MAX - now ? INT64_MAX : now + age;
  return append.expires_at == 0 ? by_age : std::min(by_age, append.expires_at);
}

std::size_t ids_within(Bytes bound) {
  return std::min<std::size_t>(limits::kStoredIds, bound.count() / limits::kStoredIdsPart / 48);
}

ConversationColumns columns_of(const Statement& row) {
  return {.id = row.integer(0),
          .kind = row.integer(1),
          .name = row.text(2),
          .head_epoch = row.integer(3),
          .head_offset = row.integer(4),
          .seen_epoch = row.integer(5),
          .seen_offset = row.integer(6),
          .count = row.integer(7),
          .bytes = row.integer(8)};
}

}  // namespace

Result<LogWriter> LogWriter::prepare(Database& database, LogWriterOptions options) {
  sqlite::Preparing make{database};
  const std::string row =
      "SELECT id, kind, name, head_epoch, head_offset, seen_epoch, seen_offset, count, bytes, owes, sum, "
      "sum IS NULL FROM conversation ";
  const std::string old = "SELECT seq, conversation, size, epoch, offset, sender FROM message ";
  Statements statements{
      .begin = make("BEGIN IMMEDIATE"),
      .commit = make("COMMIT"),
      .rollback = make("ROLLBACK"),
      .find_row = make(row + "WHERE kind = ? AND name = ?"),
      .find_row_by_id = make(row + "WHERE id = ?"),
      .insert_row = make(
          "INSERT INTO conversation (kind, name, head_epoch, head_offset, seen_epoch, seen_offset, count, "
          "bytes, touched, owes) VALUES (?, ?, 0, 0, 0, " +
          std::string{kSoundFloor} + ", 0, 0, ?, 0) RETURNING id, seen_offset"),
      .update_row =
          make("UPDATE conversation SET head_epoch = ?, head_offset = ?, seen_epoch = ?, seen_offset = ?, "
               "count = ?, bytes = ?, touched = ?, owes = ?, sum = ? WHERE id = ?"),
      .owing = make("SELECT id, seen_epoch, seen_offset FROM conversation WHERE owes = 1"),
      .begin_epoch = make("INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?)"),
      // The first stays, for where the history begins; the second is taken for a part of it.
      .merge_epochs =
          make("DELETE FROM history WHERE conversation = ?1 AND epoch = (SELECT epoch FROM history "
               "WHERE conversation = ?1 ORDER BY epoch LIMIT 1 OFFSET 1) AND (SELECT count(*) FROM "
               "history WHERE conversation = ?1) > ?2"),
      .forget_history = make("DELETE FROM history WHERE conversation = ?"),
      .insert =
          make("INSERT INTO message (conversation, epoch, offset, goes_at, size, sent_at, expires_at, flags, "
               "sender, id, key, content, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"),
      .remove = make("DELETE FROM message WHERE seq = ?"),
      .oldest_of = make(old + "WHERE conversation = ? ORDER BY epoch, offset LIMIT ?"),
      .oldest = make(old + "WHERE seq > ? ORDER BY seq LIMIT ?"),
      .expired = make(old + "WHERE goes_at <= ? ORDER BY goes_at LIMIT ?"),
      .any_expired = make("SELECT 1 FROM message WHERE goes_at <= ? LIMIT 1"),
      .next_of =
          make(old + "WHERE conversation = ? AND (epoch, offset) > (?, ?) ORDER BY epoch, offset LIMIT ?"),
      .senders_of =
          make("SELECT sender, count(*), sum(size) FROM message WHERE conversation = ? GROUP BY sender"),
      .census = make("SELECT seq, sender, size FROM message WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"),
      .last_row = make("SELECT coalesce(max(seq), 0) FROM message"),
      .pages = make("PRAGMA page_count"),
      .free_pages = make("PRAGMA freelist_count"),
      .raise_floor =
          make("UPDATE meta SET value = max(" + std::string{kSoundFloor} + ", ?) WHERE name = 'floor'"),
      .oldest_empty =
          make("SELECT id, head_offset FROM conversation WHERE count = 0 ORDER BY touched LIMIT 1"),
      .forget = make("DELETE FROM conversation WHERE id = ?"),
      .marks_of = make(std::string{kMarksOf}),
      .begins_of = make(std::string{kBeginsOf}),
      .write_mark = make("INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?, ?, ?)"),
      .forget_mark = make("DELETE FROM mark WHERE conversation = ? AND device = ?"),
      .forget_marks = make("DELETE FROM mark WHERE conversation = ?"),
      .newest_of =
          make("SELECT epoch, offset FROM message WHERE conversation = ? ORDER BY epoch DESC, offset "
               "DESC LIMIT 1"),
      .sums_of = make("SELECT count(*), coalesce(sum(size), 0) FROM message WHERE conversation = ?"),
      .floor = make("SELECT " + std::string{kSoundFloor}),
      .record_clock = make(
          "UPDATE meta SET value = CASE name WHEN 'time' THEN ? WHEN 'wall' THEN ? ELSE ? END WHERE name IN "
          "('time', 'wall', 'clock_sum')"),
      .begin_one = make("SAVEPOINT one"),
      .end_one = make("RELEASE one"),
      .undo_one = make("ROLLBACK TO one"),
      .reindex = make("REINDEX message"),
  };
  if (make.error()) return fail(std::move(*make.error()));
  const auto conversations = database.figure("SELECT count(*) FROM conversation");
  if (!conversations) return fail(conversations.error());
  auto ids = IdLog::open(database, {.ids = ids_within(options.bound), .age = limits::kDedupAge});
  if (!ids) return fail(std::move(ids.error()));
  return LogWriter{std::move(options), std::move(statements), static_cast<std::size_t>(*conversations),
                   std::move(*ids)};
}

LogWriter::LogWriter(LogWriterOptions options, Statements statements, std::size_t conversations, IdLog ids)
    : options_(std::move(options)),
      on_(std::move(statements)),
      conversations_(conversations),
      ids_(std::move(ids)),
      shares_(crypto::random_bytes<sizeof(crypto::ShortHashKey)>()) {}

Result<Applied> LogWriter::apply(const Batch& batch, UnixMs now) {
  if (auto known = know_plans(now); !known) {
    if (known.error().code != Errc::malformed) return fail(std::move(known.error()));
    pause_removal(now, known.error());
  }
  auto applied = attempt(batch, now);
  if (applied || applied.error().code != Errc::malformed) return applied;
  pause_removal(now, applied.error());
  applied = attempt_each(batch, now);
  if (applied) make_indexes_anew(now);
  return applied;
}

void LogWriter::set_bounds(Bytes bound, std::size_t conversations) {
  options_.bound = bound;
  options_.conversations = conversations;
  ids_.set_most(ids_within(bound));
}

Status LogWriter::probe() {
  return on_.raise_floor.run(std::int64_t{0});
}

Result<Applied> LogWriter::attempt(const Batch& batch, UnixMs now) {
  if (auto begun = on_.begin.run(); !begun) return fail(std::move(begun.error()));
  Work work{.now = now, .budget = limits::kRemovalSlice + 2 * batch.appends.size(), .eviction = eviction_};
  auto done = begin_census();
  return finish(work, done ? carry_out(batch, work) : std::move(done));
}

Result<Applied> LogWriter::finish(Work& work, Status done) {
  if (done) done = on_.commit.run();
  if (!done) {
    std::ignore = on_.rollback.run();  // some errors have ended the transaction already
    plans_known_ = false;              // they are ahead of the database
    shares_.undo(0);
    return fail(std::move(done.error()));
  }
  ids_.committed();
  shares_.committed();
  eviction_ = work.eviction;
  conversations_ += work.new_conversations;
  conversations_ -= work.applied.forgotten;
  return std::move(work.applied);
}

Status LogWriter::carry_out(const Batch& batch, Work& work) {
  for (std::size_t i = 0; i < batch.appends.size(); ++i) {
    if (auto appended = append(batch.appends[i], i, work); !appended) return appended;
  }
  // Devices first: where there is one, the clients that name none do not decide alone.
  for (const bool of_device : {true, false}) {
    for (const auto& mark : batch.acknowledged) {
      if (mark.device.empty() == of_device) continue;
      if (auto marked = acknowledge(mark, work); !marked) return marked;
    }
  }
  settle_marks(work);
  if (auto remembered = ids_.add(work.stored, work.now); !remembered) return remembered;
  if (batch.clock) {
    const ClockRecord& clock = *batch.clock;
    auto recorded = on_.record_clock.run(clock.time, clock.wall, checksum_of(clock));
    if (!recorded) return recorded;
  }
  if (auto removed = remove_what_must_go(work); !removed) return removed;
  return write_rows(work);
}

Status LogWriter::append(const Append& append, std::size_t index, Work& work) {
  const wire::hub::Delivery& message = *append.message;
  const auto made = made_row_of(message.to, work);
  if (!made) return fail(made.error());
  Row& row = **made;
  const Position at = message.position;
  if (at.epoch < row.head.epoch || at.offset <= row.head.offset || at.epoch > limits::kMaxPosition ||
      at.offset > limits::kMaxPosition) {
    work.applied.misplaced.push_back(index);
    return {};
  }
  const std::uint64_t size = stored_size(message);
  const std::int64_t flags = (message.critical ? kCriticalFlag : 0) |
                             (message.content.kind == wire::hub::Content::Kind::text ? kTextFlag : 0);
  const MessageColumns columns{.conversation = row.id,
                               .epoch = as_integer(at.epoch),
                               .offset = as_integer(at.offset),
                               .goes_at = goes_at(append, options_.retention(message.to), work.now),
                               .size = as_integer(size),
                               .sent_at = message.sent_at,
                               .expires_at = append.expires_at,
                               .flags = flags,
                               .sender = message.from,
                               .id = message.id,
                               .key = message.key,
                               .content = message.content.bytes};
  const auto inserted =
      on_.insert.first(columns.conversation, columns.epoch, columns.offset, columns.goes_at, columns.size,
                       columns.sent_at, columns.expires_at, columns.flags, columns.sender, columns.id,
                       columns.key, columns.content, checksum_of(columns));
  if (!inserted) return fail(inserted.error());
  const std::int64_t seq = on_.insert.integer(0);
  on_.insert.reset();
  if (append.print) work.stored.push_back({.print = *append.print, .position = at});
  if (at.epoch != row.head.epoch) {
    if (auto noted = note_epoch(row, at.epoch); !noted) return noted;
  }
  shares_.added(row.id, seq, shares_.sender(message.from), size);
  row.head = at;
  ++row.count;
  row.bytes += size;
  row.owes = row.owes || at <= row.seen;
  row.changed = true;
  return {};
}

/// The conversation goes on in another epoch. What that one has numbered and not stored is its own too, so it
/// begins right behind the last one, and a new conversation right behind the floor.
Status LogWriter::note_epoch(const Row& row, std::uint64_t epoch) {
  const std::uint64_t before = row.head.epoch == 0 && row.seen.epoch == 0 ? row.seen.offset : row.head.offset;
  const HistoryColumns columns{
      .conversation = row.id, .epoch = as_integer(epoch), .first = as_integer(before + 1)};
  auto begun = on_.begin_epoch.run(columns.conversation, columns.epoch, columns.first, checksum_of(columns));
  if (!begun) return begun;
  return on_.merge_epochs.run(row.id, static_cast<std::int64_t>(limits::kRememberedEpochs));
}

/// Where nothing was ever stored there is nothing to acknowledge, but a device is known from then on: what
/// comes later and another device acknowledges is kept for it.
Status LogWriter::acknowledge(const Mark& mark, Work& work) {
  const auto found =
      mark.device.empty() ? row_of(mark.conversation, work) : made_row_of(mark.conversation, work);
  if (!found) return fail(found.error());
  Row* const row = *found;
  if (row == nullptr) return {};
  if (row->head == Position{} && row->seen.epoch == 0) {
    row->head.offset = row->seen.offset;  // numbers go on from the floor, which `seen` is about to forget
    row->changed = true;
  }
  auto known = work.marks.find(row->id);
  if (known == work.marks.end()) {
    auto marks = marks_of(*row, work);
    if (!marks) return fail(std::move(marks.error()));
    known = work.marks.emplace(row->id, std::move(*marks)).first;
  }
  DeviceMarks& marks = known->second;
  if (mark.device.empty() && marks.empty()) {
    if (mark.position > row->seen) ++work.applied.acknowledgements;
    done_with(*row, mark.position);
    return {};
  }
  // Clients that name no device are one more as soon as there is another.
  if (marks.empty() && row->seen.epoch > 0) {
    const Mark common{.conversation = mark.conversation, .position = row->seen};
    if (auto noted = note_mark(marks, *row, common, work); !noted) return noted;
  }
  ++work.applied.acknowledgements;
  return note_mark(marks, *row, mark, work);
}

/// After all marks of a transaction: a device whose first one comes behind another's holds that one up as
/// well.
void LogWriter::settle_marks(Work& work) {
  for (const auto& [id, marks] : work.marks) {
    if (!marks.empty()) done_with(work.rows.at(id), marks.done());
  }
}

void LogWriter::done_with(Row& row, Position up_to) {
  if (up_to <= row.seen) return;
  row.seen = up_to;
  row.owes = true;
  row.changed = true;
}

/// A device whose mark is damaged has come as far as all have, and is written down so: what it has not
/// acknowledged is not removed for it, and comes again.
Result<DeviceMarks> LogWriter::marks_of(const Row& row, const Work& work) {
  std::vector<DeviceMarks::One> known;
  std::vector<std::size_t> damaged;
  auto found = on_.marks_of.first(row.id);
  for (; found && *found; found = on_.marks_of.next()) {
    const auto mark = mark_in(on_.marks_of);
    if (!mark) damaged.push_back(known.size());
    known.push_back({.device = std::string{on_.marks_of.text(1)},
                     .up_to = mark.value_or(row.seen),
                     .used = mark ? on_.marks_of.integer(4) : work.now});
  }
  if (!found) return fail(std::move(found.error()));
  for (const std::size_t which : damaged) {
    if (options_.damage != nullptr) options_.damage->note(row.conversation, "how far a device has come");
    if (auto written = write_mark(row, known[which]); !written) return fail(std::move(written.error()));
  }
  return DeviceMarks{std::move(known)};
}

Status LogWriter::write_mark(const Row& row, const DeviceMarks::One& mark) {
  const MarkColumns columns{.conversation = row.id,
                            .device = mark.device,
                            .epoch = as_integer(mark.up_to.epoch),
                            .offset = as_integer(mark.up_to.offset),
                            .used = mark.used};
  return on_.write_mark.run(columns.conversation, columns.device, columns.epoch, columns.offset, columns.used,
                            checksum_of(columns));
}

Status LogWriter::note_mark(DeviceMarks& marks, const Row& row, const Mark& mark, Work& work) {
  for (const std::string& device : marks.note(mark.device, mark.position, work.now)) {
    if (auto forgotten = on_.forget_mark.run(row.id, std::string_view{device}); !forgotten) return forgotten;
  }
  const auto noted = marks.find(mark.device);
  if (!noted) return {};  // the clock went back further than a device is remembered
  return write_mark(row, *noted);
}

/// Null: there is none.
Result<LogWriter::Row*> LogWriter::row_of(const Conversation& conversation, Work& work) {
  if (const auto known = work.ids.find(conversation); known != work.ids.end())
    return &work.rows.at(known->second);
  const auto found = on_.find_row.first(as_integer(conversation.kind), std::string_view{conversation.name});
  if (!found) return fail(found.error());
  return *found ? keep(on_.find_row, &conversation, work) : nullptr;
}

Result<LogWriter::Row*> LogWriter::made_row_of(const Conversation& conversation, Work& work) {
  auto known = row_of(conversation, work);
  if (!known || *known != nullptr) return known;
  const auto made =
      on_.insert_row.first(as_integer(conversation.kind), std::string_view{conversation.name}, work.now);
  if (!made) return fail(made.error());
  const std::int64_t id = on_.insert_row.integer(0);
  const Position seen = as_position(0, on_.insert_row.integer(1));
  on_.insert_row.reset();
  ++work.new_conversations;
  work.ids.emplace(conversation, id);
  return &work.rows.emplace(id, Row{.id = id, .conversation = conversation, .seen = seen, .changed = true})
              .first->second;
}

/// Null: there is none.
Result<LogWriter::Row*> LogWriter::row_by_id(std::int64_t id, Work& work) {
  if (const auto known = work.rows.find(id); known != work.rows.end()) return &known->second;
  const auto found = on_.find_row_by_id.first(id);
  if (!found) return fail(found.error());
  return *found ? keep(on_.find_row_by_id, nullptr, work) : nullptr;
}

/// The row that the statement stands on, as one of this transaction's. `asked`: the name by which it was
/// found, which its own copy of it may have lost.
Result<LogWriter::Row*> LogWriter::keep(Statement& from, const Conversation* asked, Work& work) {
  const ConversationColumns columns = columns_of(from);
  const bool is_whole =
      is_sound(columns) && (from.integer(11) != 0 || checksum_of(columns) == from.integer(10));
  Row row{.id = columns.id,
          .conversation = {.kind = is_whole ? static_cast<Conversation::Kind>(columns.kind)
                                            : Conversation::Kind::all,
                           .name = std::string{columns.name}},
          .head = as_position(columns.head_epoch, columns.head_offset),
          .seen = as_position(columns.seen_epoch, columns.seen_offset),
          .count = static_cast<std::uint64_t>(columns.count),
          .bytes = static_cast<std::uint64_t>(columns.bytes),
          .owes = from.integer(9) != 0};
  from.reset();
  if (asked != nullptr) row.conversation = *asked;
  if (!is_whole) {
    if (options_.damage != nullptr) options_.damage->note(row.conversation, "the conversation's own row");
    const auto counted = static_cast<std::int64_t>(row.count);
    if (auto repaired = repair(row); !repaired) return fail(std::move(repaired.error()));
    work.applied.recounted += static_cast<std::int64_t>(row.count) - counted;
  }
  work.ids.emplace(row.conversation, row.id);
  return &work.rows.emplace(row.id, std::move(row)).first->second;
}

Status LogWriter::write_rows(Work& work) {
  for (const auto& [id, row] : work.rows) {
    if (!row.changed) continue;
    const std::int64_t checksum = checksum_of(ConversationColumns{.id = id,
                                                                  .kind = as_integer(row.conversation.kind),
                                                                  .name = row.conversation.name,
                                                                  .head_epoch = as_integer(row.head.epoch),
                                                                  .head_offset = as_integer(row.head.offset),
                                                                  .seen_epoch = as_integer(row.seen.epoch),
                                                                  .seen_offset = as_integer(row.seen.offset),
                                                                  .count = as_integer(row.count),
                                                                  .bytes = as_integer(row.bytes)});
    auto written =
        on_.update_row.run(as_integer(row.head.epoch), as_integer(row.head.offset),
                           as_integer(row.seen.epoch), as_integer(row.seen.offset), as_integer(row.count),
                           as_integer(row.bytes), work.now, std::int64_t{row.owes}, checksum, id);
    if (!written) return written;
  }
  return {};
}

}  // namespace sluice::hub::store
