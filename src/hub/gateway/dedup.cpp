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
/// Of five places four are taken at the most: a search then looks at a handful of neighbours.
constexpr std::size_t kTaken = 4;
constexpr std::size_t kOf = 5;

}  // namespace

Dedup::Dedup(const crypto::ShortHashKey& key, Limits limits)
    : key_(key), limits_(limits), places_(kFirstPlaces) {
  ENSURE(limits.entries > 0);
}

std::optional<wire::hub::Position> Dedup::find(const Message& message, TimePoint now) {
  forget_old(now);
  const std::uint64_t number = places_[place_of(hash_of(message))];
  return number == 0 ? std::nullopt : std::optional{entry(number).position};
}

void Dedup::remember(const Message& message, wire::hub::Position position, TimePoint now) {
  forget_old(now);
  if (order_.size() == limits_.entries) forget_oldest();
  if ((known_ + 1) * kOf > places_.size() * kTaken) grow();
  const crypto::ShortHash hash = hash_of(message);
  std::uint64_t& number = places_[place_of(hash)];
  if (number == 0) ++known_;
  number = first_ + order_.size();
  order_.push_back({.hash = hash, .position = position, .at = now});
}

void Dedup::forget(const Message& message, wire::hub::Position position) {
  const std::size_t place = place_of(hash_of(message));
  if (places_[place] != 0 && entry(places_[place]).position == position) clear(place);
}

void Dedup::forget_old(TimePoint now) {
  while (!order_.empty() && now - order_.front().at >= limits_.age) forget_oldest();
}

/// Unless it was forgotten already, and has perhaps come again.
void Dedup::forget_oldest() {
  const std::size_t place = place_of(order_.front().hash);
  if (places_[place] == first_) clear(place);
  order_.pop_front();
  ++first_;
}

/// Names hold no zero bytes (`codec.hpp`), so no two messages make the same text.
crypto::ShortHash Dedup::hash_of(const Message& message) const {
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
  return crypto::short_hash(ByteView{text}.first(size), key_);
}

std::size_t Dedup::begin_of(const crypto::ShortHash& hash) const {
  std::size_t begin = 0;
  std::memcpy(&begin, hash.data(), sizeof begin);
  return begin & (places_.size() - 1);
}

/// Where it is, or the free place where it would be.
std::size_t Dedup::place_of(const crypto::ShortHash& hash) const {
  std::size_t place = begin_of(hash);
  while (places_[place] != 0 && entry(places_[place]).hash != hash)
    place = (place + 1) & (places_.size() - 1);
  return place;
}

/// Frees a place, and moves up what stands behind it only because it was taken.
void Dedup::clear(std::size_t place) {
  const std::size_t mask = places_.size() - 1;
  for (std::size_t next = (place + 1) & mask; places_[next] != 0; next = (next + 1) & mask) {
    const std::size_t from_begin = (next - begin_of(entry(places_[next]).hash)) & mask;
    if (from_begin >= ((next - place) & mask)) places_[std::exchange(place, next)] = places_[next];
  }
  places_[place] = 0;
  --known_;
}

void Dedup::grow() {
  const std::vector<std::uint64_t> before =
      std::exchange(places_, std::vector<std::uint64_t>(2 * places_.size()));
  for (const std::uint64_t number : before) {
    if (number != 0) places_[place_of(entry(number).hash)] = number;
  }
}

}  // namespace sluice::hub
