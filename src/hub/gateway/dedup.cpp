#include "hub/gateway/dedup.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/bytes.hpp"
#include "core/ensure.hpp"

namespace sluice::hub {
namespace {

constexpr std::size_t kFirstPlaces = 16;
/// Of five places at most four are taken: a search then looks at a handful of neighbours.
constexpr std::size_t kTaken = 4;
constexpr std::size_t kOf = 5;

std::uint64_t first_half(const crypto::ShortHash& hash) {
  std::uint64_t half = 0;
  std::memcpy(&half, hash.data(), sizeof half);
  return half;
}

}  // namespace

Dedup::Dedup(const crypto::ShortHashKey& key, Limits limits)
    : key_(key), limits_(limits), places_(kFirstPlaces) {
  ENSURE(limits.entries > 0 && limits.entries < kNone);
}

/// Names hold no zero bytes (`codec.hpp`), so no two messages make the same text.
MessagePrint Dedup::print_of(const Message& message) const {
  std::array<std::byte, 2 * limits::kMaxName.count() + limits::kMaxId.count() + 3> text;
  std::size_t size = 0;
  const auto add = [&](std::string_view part) {
    ENSURE(part.size() <= limits::kMaxName.count());
    std::ranges::copy(as_bytes(part), text.begin() + static_cast<std::ptrdiff_t>(size));
    size += part.size();
    text[size++] = std::byte{0};
  };
  add(message.to.name);
  add(message.from);
  add(message.id);
  text[size - 1] = static_cast<std::byte>(message.to.kind);
  return {.message = crypto::short_hash(ByteView{text}.first(size), key_),
          .sender = first_half(crypto::short_hash(as_bytes(message.from), key_))};
}

std::optional<wire::hub::Position> Dedup::find(const MessagePrint& print, TimePoint now) {
  forget_old(now);
  const std::uint32_t number = places_[place_of(print.message)];
  return number == 0 ? std::nullopt : std::optional{entries_[number - 1].position};
}

void Dedup::remember(const MessagePrint& print, wire::hub::Position position, TimePoint now) {
  forget_old(now);
  make_room(print.sender);
  const std::uint32_t sender = sender_of(print.sender);
  if ((known_ + 1) * kOf > places_.size() * kTaken) grow();
  const std::uint32_t entry = add({.hash = print.message, .position = position, .at = now, .sender = sender});
  std::uint32_t& number = places_[place_of(print.message)];
  if (number == 0) ++known_;
  number = entry + 1;
}

void Dedup::forget(const MessagePrint& print, wire::hub::Position position) {
  const std::size_t place = place_of(print.message);
  if (places_[place] != 0 && entries_[places_[place] - 1].position == position) clear(place);
}

void Dedup::forget_old(TimePoint now) {
  while (oldest_ != kNone && now - entries_[oldest_].at >= limits_.age)
    drop_oldest_of(entries_[oldest_].sender);
}

/// A sender that has as many as anybody makes room itself: nobody else is then above their share.
void Dedup::make_room(std::uint64_t sender) {
  if (entries_.size() - free_entries_.size() < limits_.entries) return;
  const std::uint32_t largest = *ranking_.largest();
  const auto known = senders_.find(sender);
  const bool as_many =
      known != senders_.end() && ranking_.count_of(known->second) == ranking_.count_of(largest);
  drop_oldest_of(as_many ? known->second : largest);
}

void Dedup::drop_oldest_of(std::uint32_t sender) {
  Sender& record = sender_records_[sender];
  const std::uint32_t number = record.oldest;
  const Entry& entry = entries_[number];
  // It may have been forgotten, and have come again.
  if (const std::size_t place = place_of(entry.hash); places_[place] == number + 1) clear(place);
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  record.oldest = entry.next_of_sender;
  if (record.oldest == kNone) record.newest = kNone;
  free_entries_.push_back(number);
  ranking_.lower(sender);
  if (ranking_.count_of(sender) > 0) return;
  senders_.erase(record.key);
  free_senders_.push_back(sender);
}

/// Its number; a new one has no entries yet.
std::uint32_t Dedup::sender_of(std::uint64_t key) {
  if (const auto known = senders_.find(key); known != senders_.end()) return known->second;
  std::uint32_t number = 0;
  if (free_senders_.empty()) {
    number = static_cast<std::uint32_t>(sender_records_.size());
    sender_records_.push_back({.key = key});
  } else {
    number = free_senders_.back();
    free_senders_.pop_back();
    sender_records_[number] = {.key = key};
  }
  senders_.emplace(key, number);
  return number;
}

/// At the end of both orders.
std::uint32_t Dedup::add(Entry entry) {
  std::uint32_t number = 0;
  entry.older = newest_;
  if (free_entries_.empty()) {
    number = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back(entry);
  } else {
    number = free_entries_.back();
    free_entries_.pop_back();
    entries_[number] = entry;
  }
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = number;
  newest_ = number;
  Sender& sender = sender_records_[entry.sender];
  (sender.newest == kNone ? sender.oldest : entries_[sender.newest].next_of_sender) = number;
  sender.newest = number;
  ranking_.raise(entry.sender);
  return number;
}

std::size_t Dedup::begin_of(const crypto::ShortHash& hash) const {
  return first_half(hash) & (places_.size() - 1);
}

/// Where it is, or the free place where it would be.
std::size_t Dedup::place_of(const crypto::ShortHash& hash) const {
  std::size_t place = begin_of(hash);
  while (places_[place] != 0 && entries_[places_[place] - 1].hash != hash)
    place = (place + 1) & (places_.size() - 1);
  return place;
}

/// Frees a place, and moves up what stands behind it only because it was taken.
void Dedup::clear(std::size_t place) {
  const std::size_t mask = places_.size() - 1;
  for (std::size_t next = (place + 1) & mask; places_[next] != 0; next = (next + 1) & mask) {
    const std::size_t from_begin = (next - begin_of(entries_[places_[next] - 1].hash)) & mask;
    if (from_begin >= ((next - place) & mask)) places_[std::exchange(place, next)] = places_[next];
  }
  places_[place] = 0;
  --known_;
}

void Dedup::grow() {
  const std::vector<std::uint32_t> before =
      std::exchange(places_, std::vector<std::uint32_t>(2 * places_.size()));
  for (const std::uint32_t number : before) {
    if (number != 0) places_[place_of(entries_[number - 1].hash)] = number;
  }
}

}  // namespace sluice::hub
