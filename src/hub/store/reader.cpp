#include "hub/store/reader.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/hub_limits.hpp"
#include "hub/store/preparing.hpp"
#include "hub/store/row.hpp"
#include "hub/store/row_check.hpp"
#include "hub/store/small_rows.hpp"

namespace sluice::hub::store {
namespace {

using sqlite::Database;
using sqlite::Statement;

/// One snapshot for several statements; a snapshot that is not let go holds up checkpoints.
class Snapshot {
 public:
  explicit Snapshot(Statement& end) : end_(end) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() { std::ignore = end_.run(); }

 private:
  Statement& end_;
};

/// Lets go of the row that a statement stands on, however the function ends.
class Standing {
 public:
  explicit Standing(Statement& statement) : statement_(statement) {}
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;
  ~Standing() { statement_.reset(); }

 private:
  Statement& statement_;
};

Position position_in(const Statement& row) {
  return as_position(row.integer(0), row.integer(1));
}

StoredMessage message_of(const MessageColumns& row, const Conversation& to) {
  const auto kind =
      (row.flags & kTextFlag) != 0 ? wire::hub::Content::Kind::text : wire::hub::Content::Kind::data;
  return {.delivery = {.from = std::string{row.sender},
                       .to = to,
                       .id = std::string{row.id},
                       .position = as_position(row.epoch, row.offset),
                       .sent_at = row.sent_at,
                       .content = {.kind = kind, .bytes = std::string{row.content}},
                       .key = std::string{row.key},
                       .critical = (row.flags & kCriticalFlag) != 0},
          .expires_at = row.expires_at};
}

std::size_t weight(const wire::hub::Delivery& delivery) {
  return delivery.content.bytes.size() + delivery.from.size() + delivery.id.size() + delivery.key.size();
}

}  // namespace

Result<Reader> Reader::open(Source source) {
  auto database = Database::open(source.database, Database::Access::read_only);
  if (!database) return fail(std::move(database.error()));
  auto set = database->execute("PRAGMA cache_size = -" + std::to_string(limits::kReaderCache.count() / 1024));
  if (!set) return fail(std::move(set.error()));
  sqlite::Preparing make{*database};
  Statements statements{
      .begin = make("BEGIN"),
      .end = make("COMMIT"),
      .conversation =
          make("SELECT id, head_epoch, head_offset, seen_epoch, seen_offset, kind, name, count, bytes, "
               "sum, sum IS NULL FROM conversation WHERE kind = ? AND name = ?"),
      .floor = make("SELECT value, " + std::string{kSoundFloor} + " FROM meta WHERE name = 'floor'"),
      .history = make("SELECT conversation, history.epoch, first, history.sum, history.sum IS NULL FROM "
                      "history JOIN conversation ON conversation = id "
                      "WHERE kind = ? AND name = ? ORDER BY history.epoch"),
      .begins = make(std::string{kBeginsOf}),
      .first =
          make("SELECT epoch, offset FROM message WHERE conversation = ? ORDER BY epoch, offset LIMIT 1"),
      .last = make("SELECT epoch, offset FROM message WHERE conversation = ? ORDER BY epoch DESC, offset "
                   "DESC LIMIT 1"),
      .page =
          make("SELECT epoch, offset, sent_at, expires_at, flags, sender, id, key, content, goes_at, size, "
               "sum, sum IS NULL FROM message "
               "WHERE conversation = ? AND (epoch, offset) > (?, ?) ORDER BY epoch, offset"),
      .mark = make("SELECT conversation, device, epoch, offset, used, sum FROM mark WHERE conversation = ? "
                   "AND device = ?"),
      .marks = make(std::string{kMarksOf}),
      .sums = make("SELECT (SELECT count(*) FROM message), (SELECT coalesce(sum(size), 0) FROM message), "
                   "coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM conversation"),
  };
  if (make.error()) return fail(std::move(*make.error()));
  return Reader{std::move(source), std::move(*database), std::move(statements)};
}

Reader::Reader(Source source, Database database, Statements statements)
    : source_(std::move(source)), database_(std::move(database)), on_(std::move(statements)) {}

Result<Reader::Known> Reader::look_up(const Conversation& conversation) {
  const Standing standing{on_.conversation};
  const auto found =
      on_.conversation.first(as_integer(conversation.kind), std::string_view{conversation.name});
  if (!found) return fail(found.error());
  const Statement& row = on_.conversation;
  if (!*found) {
    const auto begin = floor();
    if (!begin) return fail(begin.error());
    return Known{
        .id = 0, .head = {.epoch = source_.epochs.present(), .offset = begin->offset}, .seen = *begin};
  }
  const ConversationColumns columns{.id = row.integer(0),
                                    .kind = row.integer(5),
                                    .name = row.text(6),
                                    .head_epoch = row.integer(1),
                                    .head_offset = row.integer(2),
                                    .seen_epoch = row.integer(3),
                                    .seen_offset = row.integer(4),
                                    .count = row.integer(7),
                                    .bytes = row.integer(8)};
  if (is_sound(columns) && (row.integer(10) != 0 || checksum_of(columns) == row.integer(9))) {
    Known known{.id = columns.id,
                .head = as_position(columns.head_epoch, columns.head_offset),
                .seen = as_position(columns.seen_epoch, columns.seen_offset)};
    // A device is known, and no message yet: it begins where it would without the device, which is where the
    // writer takes it to begin. Before the first acknowledgement that is written down in `seen` alone.
    if (known.head.epoch == 0) {
      const std::uint64_t begin = known.seen.epoch == 0 ? known.seen.offset : 0;
      known.head = {.epoch = source_.epochs.present(), .offset = std::max(known.head.offset, begin)};
    }
    return known;
  }
  if (source_.damage != nullptr) source_.damage->note(conversation, "the conversation's own row");
  return rebuilt(columns.id);
}

/// The same as `LogWriter::repair`, which writes it down with the next message.
Result<Reader::Known> Reader::rebuilt(std::int64_t id) {
  const Standing on_last{on_.last};
  const auto last = on_.last.first(id);
  if (!last) return fail(last.error());
  const auto numbered = furthest(id);
  if (!numbered) return fail(numbered.error());
  if (!*last) {
    auto begin = floor();
    if (!begin) return fail(begin.error());
    begin->offset = std::max(begin->offset, numbered->offset);
    const std::uint64_t epoch = numbered->epoch == 0 ? source_.epochs.present() : numbered->epoch;
    return Known{.id = id, .head = {.epoch = epoch, .offset = begin->offset}, .seen = *begin};
  }
  const Standing on_first{on_.first};
  const auto first = on_.first.first(id);
  if (!first) return fail(first.error());
  const std::uint64_t begin = *first ? position_in(on_.first).offset - 1 : 0;
  return Known{
      .id = id, .head = std::max(position_in(on_.last), *numbered), .seen = {.epoch = 0, .offset = begin}};
}

/// The last position that is known to be given out, beside its messages.
Result<Position> Reader::furthest(std::int64_t id) {
  Position furthest{};
  const Standing on_marks{on_.marks};
  auto row = on_.marks.first(id);
  for (; row && *row; row = on_.marks.next())
    furthest = std::max(furthest, mark_in(on_.marks).value_or(Position{}));
  if (!row) return fail(std::move(row.error()));
  const Standing on_begins{on_.begins};
  row = on_.begins.first(id);
  for (; row && *row; row = on_.begins.next())
    furthest = std::max(furthest, begin_in(on_.begins).value_or(Position{}));
  if (!row) return fail(std::move(row.error()));
  return furthest;
}

/// Behind it begins what has stored nothing yet.
Result<Position> Reader::floor() {
  const Standing standing{on_.floor};
  const auto found = on_.floor.first();
  if (!found) return fail(found.error());
  if (!*found) return Position{};
  if (on_.floor.integer(0) != on_.floor.integer(1) && source_.damage != nullptr)
    source_.damage->note({.kind = Conversation::Kind::all}, "the offset behind which conversations begin");
  return as_position(0, on_.floor.integer(1));
}

Result<Position> Reader::head(const Conversation& of) {
  if (auto begun = on_.begin.run(); !begun) return fail(std::move(begun.error()));
  const Snapshot snapshot{on_.end};
  const auto known = look_up(of);
  if (!known) return fail(known.error());
  return known->head;
}

Result<std::vector<Position>> Reader::history(const Conversation& of) {
  const Standing standing{on_.history};
  std::vector<Position> begins;
  auto row = on_.history.first(as_integer(of.kind), std::string_view{of.name});
  for (; row && *row; row = on_.history.next()) {
    if (const auto begin = begin_in(on_.history)) {
      begins.push_back(*begin);
    } else if (source_.damage != nullptr) {
      source_.damage->note(of, "where one of its epochs begins");
    }
  }
  if (!row) return fail(std::move(row.error()));
  return begins;
}

Result<Position> Reader::acknowledged(const Conversation& inbox, std::string_view device) {
  // First what waits: what a commit takes from there meanwhile is in the database by then.
  const auto waiting = source_.acknowledgements.find(inbox, device);
  if (auto begun = on_.begin.run(); !begun) return fail(std::move(begun.error()));
  const Snapshot snapshot{on_.end};
  const auto known = look_up(inbox);
  if (!known) return fail(known.error());
  const auto mark = mark_of(*known, inbox, device);
  if (!mark) return fail(mark.error());
  const bool is_common = device.empty() && !*mark;  // what all have done is what they have
  if (is_common) return std::max(known->seen, waiting.value_or(Position{}));
  if (*mark || waiting) return std::max(*mark, waiting).value();
  const auto first = first_of(*known);
  if (!first) return fail(first.error());
  if (!*first) return known->head;
  return Position{.epoch = (*first)->epoch, .offset = (*first)->offset - 1};
}

Result<std::optional<Position>> Reader::mark_of(const Known& known, const Conversation& inbox,
                                                std::string_view device) {
  const Standing standing{on_.mark};
  const auto found = on_.mark.first(known.id, device);
  if (!found) return fail(found.error());
  if (!*found) return std::nullopt;
  const auto mark = mark_in(on_.mark);
  if (!mark && source_.damage != nullptr) source_.damage->note(inbox, "how far a device has come");
  return mark;
}

/// Of what there still is.
Result<std::optional<Position>> Reader::first_of(const Known& known) {
  const Standing standing{on_.first};
  const auto found = on_.first.first(known.id);
  if (!found) return fail(found.error());
  return *found ? std::optional{position_in(on_.first)} : std::nullopt;
}

Result<Page> Reader::page(const Conversation& of, Span span, PageLimits limits) {
  if (auto begun = on_.begin.run(); !begun) return fail(std::move(begun.error()));
  const Snapshot snapshot{on_.end};
  return read_page(of, span, limits);
}

Result<Page> Reader::read_page(const Conversation& of, const Span& span, PageLimits limits) {
  const auto known = look_up(of);
  if (!known) return fail(known.error());
  Page page{.first = {.epoch = known->head.epoch, .offset = known->head.offset + 1}};
  if (known->id == 0) return page;
  const auto first = first_of(*known);
  if (!first) return fail(first.error());
  if (!*first) return page;
  page.first = **first;
  const Standing standing{on_.page};
  auto row = on_.page.first(known->id, as_integer(span.after.epoch), as_integer(span.after.offset));
  std::size_t bytes = 0;
  for (; row && *row && position_in(on_.page) <= span.last; row = on_.page.next()) {
    page.more = page.messages.size() + page.damaged.size() >= limits.messages;
    if (page.more) return page;
    auto message = message_in_row(known->id, of);
    if (!message) {
      // Behind the head there is nothing: that number is not the message's.
      if (position_in(on_.page) <= known->head) page.damaged.push_back(position_in(on_.page));
      continue;
    }
    bytes += weight(message->delivery);
    page.more = bytes > limits.bytes.count() && !page.messages.empty();
    if (page.more) return page;
    page.messages.push_back(std::move(*message));
  }
  if (!row) return fail(std::move(row.error()));
  return page;
}

std::optional<StoredMessage> Reader::message_in_row(std::int64_t conversation, const Conversation& to) {
  const Statement& row = on_.page;
  const MessageColumns columns{.conversation = conversation,
                               .epoch = row.integer(0),
                               .offset = row.integer(1),
                               .goes_at = row.integer(9),
                               .size = row.integer(10),
                               .sent_at = row.integer(2),
                               .expires_at = row.integer(3),
                               .flags = row.integer(4),
                               .sender = row.text(5),
                               .id = row.text(6),
                               .key = row.text(7),
                               .content = row.text(8)};
  if (is_sound(columns) && (row.integer(12) != 0 || checksum_of(columns) == row.integer(11)))
    return message_of(columns, to);
  if (source_.damage != nullptr) {
    source_.damage->note(
        to, "message " + std::to_string(columns.offset) + " of epoch " + std::to_string(columns.epoch));
  }
  return std::nullopt;
}

Result<std::uint64_t> Reader::counted_rows() {
  const Standing standing{on_.sums};
  const auto row = on_.sums.first();
  if (!row) return fail(row.error());
  const Statement& sums = on_.sums;
  if (sums.integer(0) != sums.integer(2) || sums.integer(1) != sums.integer(3)) {
    return fail(Errc::malformed, "The store holds " + std::to_string(sums.integer(0)) + " messages of " +
                                     std::to_string(sums.integer(1)) + " bytes; its conversations count " +
                                     std::to_string(sums.integer(2)) + " of " +
                                     std::to_string(sums.integer(3)) + ".");
  }
  return static_cast<std::uint64_t>(sums.integer(0));
}

}  // namespace sluice::hub::store
