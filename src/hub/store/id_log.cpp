#include "hub/store/id_log.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "hub/store/row_check.hpp"

namespace sluice::hub::store {
namespace {

constexpr std::size_t kIdBytes = 16 + 4 * 8;
/// Rows that one commit looks at to make room: it adds one itself.
constexpr std::size_t kLooks = 4;

std::string packed(const std::vector<StoredId>& ids) {
  std::string bytes(ids.size() * kIdBytes, '\0');
  char* to = bytes.data();
  const auto put = [&to](const void* from, std::size_t size) {
    std::memcpy(to, from, size);
    to += size;
  };
  for (const StoredId& id : ids) {
    put(id.print.message.data(), id.print.message.size());
    for (const std::uint64_t figure :
         {id.print.sender, id.print.conversation, id.position.epoch, id.position.offset})
      put(&figure, sizeof figure);
  }
  return bytes;
}

/// Nothing, where the bytes are not those that were written.
std::vector<StoredId> unpacked(std::string_view bytes, std::int64_t checksum) {
  std::vector<StoredId> ids;
  if (bytes.size() % kIdBytes != 0 || checksum_of(bytes) != checksum) return ids;
  ids.reserve(bytes.size() / kIdBytes);
  const char* from = bytes.data();
  const auto take = [&from](void* to, std::size_t size) {
    std::memcpy(to, from, size);
    from += size;
  };
  for (std::size_t left = bytes.size() / kIdBytes; left > 0; --left) {
    StoredId& id = ids.emplace_back();
    take(id.print.message.data(), id.print.message.size());
    for (std::uint64_t* const figure :
         {&id.print.sender, &id.print.conversation, &id.position.epoch, &id.position.offset})
      take(figure, sizeof *figure);
  }
  return ids;
}

/// What there is behind a damaged page is not known any more: no reason not to start.
Status unless_damaged(Result<bool> end) {
  if (!end && end.error().code != Errc::malformed) return fail(std::move(end.error()));
  return {};
}

}  // namespace

Result<IdLog> IdLog::open(sqlite::Database& database, Limits limits) {
  sqlite::Preparing make{database};
  Statements statements{
      .insert = make("INSERT INTO recent (at, kept, sum, ids) VALUES (?, ?, ?, ?) RETURNING seq"),
      .find = make("SELECT sum, ids FROM recent WHERE seq = ?"),
      .remove = make("DELETE FROM recent WHERE seq = ?"),
  };
  if (make.error()) return fail(std::move(*make.error()));
  IdLog log{limits, std::move(statements)};
  if (auto loaded = log.load(database); !loaded) return fail(std::move(loaded.error()));
  return log;
}

Status IdLog::load(sqlite::Database& database) {
  auto all = database.prepare("SELECT seq, at, kept, sum, ids FROM recent ORDER BY seq");
  if (!all) return fail(std::move(all.error()));
  auto row = all->first();
  for (; row && *row; row = all->next()) {
    const auto ids = unpacked(all->text(4), all->integer(3));
    const Segment segment{.row = all->integer(0), .at = all->integer(1), .ids = ids.size()};
    (all->integer(2) == 0 ? fresh_ : kept_).push_back(segment);
    ids_ += ids.size();
    for (const StoredId& id : ids) ++senders_[id.print.sender];
  }
  return unless_damaged(std::move(row));
}

Result<std::vector<RememberedId>> IdLog::read(sqlite::Database& database, std::chrono::milliseconds age,
                                              UnixMs now) {
  auto all = database.prepare("SELECT at, sum, ids FROM recent WHERE at > ? ORDER BY at, seq");
  if (!all) return fail(std::move(all.error()));
  std::vector<RememberedId> remembered;
  auto row = all->first(now - age.count());
  for (; row && *row; row = all->next()) {
    const std::chrono::milliseconds ago{std::max<UnixMs>(0, now - all->integer(0))};
    for (const StoredId& id : unpacked(all->text(2), all->integer(1)))
      remembered.push_back({.id = id, .age = ago});
  }
  if (auto read = unless_damaged(std::move(row)); !read) return fail(std::move(read.error()));
  return remembered;
}

Status IdLog::add(const std::vector<StoredId>& ids, UnixMs now) {
  changes_ = {};
  if (!ids.empty()) {
    auto added = insert(ids, now, Place::fresh);
    if (!added) return fail(std::move(added.error()));
    changes_.fresh.push_back(*added);
    changes_.ids += static_cast<std::int64_t>(ids.size());
    for (const StoredId& id : ids) changes_.senders.emplace_back(id.print.sender, 1);
  }
  return make_room(now);
}

Result<IdLog::Segment> IdLog::insert(const std::vector<StoredId>& ids, UnixMs at, Place place) {
  const std::string bytes = packed(ids);
  const auto inserted =
      on_.insert.first(at, std::int64_t{place == Place::kept}, checksum_of(bytes), std::string_view{bytes});
  if (!inserted) return fail(inserted.error());
  const Segment segment{.row = on_.insert.integer(0), .at = at, .ids = ids.size()};
  on_.insert.reset();
  return segment;
}

/// What is too old goes as it is. What goes for want of room leaves behind the ids of those who have few.
Status IdLog::make_room(UnixMs now) {
  for (std::size_t looks = 0; looks < kLooks; ++looks) {
    const auto first_of = [](const std::deque<Segment>& segments, std::size_t gone) {
      return segments.size() > gone ? &segments[gone] : nullptr;
    };
    const auto is_old = [&](const Segment* segment) {
      return segment != nullptr && now - segment->at >= limits_.age.count();
    };
    const Segment* const fresh = first_of(fresh_, changes_.fresh_gone);
    const Segment* const kept = first_of(kept_, changes_.kept_gone);
    const bool is_over =
        static_cast<std::int64_t>(ids_) + changes_.ids > static_cast<std::int64_t>(limits_.ids);
    Status removed;
    if (is_old(kept) || (is_over && fresh == nullptr && kept != nullptr)) {
      ++changes_.kept_gone;
      removed = remove(*kept, Leaving::nothing);
    } else if (is_old(fresh) || (is_over && fresh != nullptr)) {
      ++changes_.fresh_gone;
      removed = remove(*fresh, is_old(fresh) ? Leaving::nothing : Leaving::few_of_many);
    } else {
      return {};
    }
    if (!removed) return removed;
  }
  return {};
}

Status IdLog::remove(const Segment& segment, Leaving leaving) {
  const auto found = on_.find.first(segment.row);
  if (!found) return fail(found.error());
  std::vector<StoredId> ids;
  if (*found) ids = unpacked(on_.find.text(1), on_.find.integer(0));
  on_.find.reset();
  if (auto removed = on_.remove.run(segment.row); !removed) return removed;
  changes_.ids -= static_cast<std::int64_t>(segment.ids);
  std::vector<StoredId> left;
  const std::size_t part = limits_.ids / (2 * std::max<std::size_t>(1, senders_.size()));
  for (const StoredId& id : ids) {
    const auto sender = senders_.find(id.print.sender);
    const bool has_few = sender != senders_.end() && sender->second <= part;
    if (leaving == Leaving::few_of_many && has_few) {
      left.push_back(id);
    } else {
      changes_.senders.emplace_back(id.print.sender, -1);
    }
  }
  if (left.empty()) return {};
  auto kept = insert(left, segment.at, Place::kept);
  if (!kept) return fail(std::move(kept.error()));
  changes_.kept.push_back(*kept);
  changes_.ids += static_cast<std::int64_t>(left.size());
  return {};
}

void IdLog::committed() {
  const auto drop = [](std::deque<Segment>& segments, std::size_t gone) {
    segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(gone));
  };
  drop(fresh_, changes_.fresh_gone);
  drop(kept_, changes_.kept_gone);
  std::ranges::copy(changes_.fresh, std::back_inserter(fresh_));
  std::ranges::copy(changes_.kept, std::back_inserter(kept_));
  ids_ = static_cast<std::size_t>(static_cast<std::int64_t>(ids_) + changes_.ids);
  for (const auto& [sender, by] : changes_.senders) {
    auto& count = senders_[sender];
    count = by > 0 ? count + 1 : count - std::min<std::uint32_t>(count, 1);
    if (count == 0) senders_.erase(sender);
  }
  changes_ = {};
}

}  // namespace sluice::hub::store
