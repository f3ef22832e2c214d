#include "transport/dialing/race.hpp"

#include <algorithm>

#include "core/ensure.hpp"

namespace sluice::dialing {

void Race::found(Family family, std::span<const Address> addresses, TimePoint now) {
  Half& half_of_it = half(family);
  ENSURE(!half_of_it.resolved);
  half_of_it.resolved = true;
  half_of_it.resolved_at = now;
  const auto taken = addresses.first(std::min(addresses.size(), options_.addresses));
  half_of_it.untried.assign(taken.begin(), taken.end());
}

/// Alternates while both have addresses left (RFC 8305 §4).
Family Race::next_family() const {
  const Family turn = last_family_ == Family::v6 ? Family::v4 : Family::v6;
  if (!half(turn).untried.empty()) return turn;
  return turn == Family::v6 ? Family::v4 : Family::v6;
}

std::optional<TimePoint> Race::next_deadline() const {
  const Half& six = half(Family::v6);
  const Half& four = half(Family::v4);
  if (six.untried.empty() && four.untried.empty()) return std::nullopt;
  // The resolution delay of RFC 8305 §3: IPv6 addresses that are about to come go first.
  if (!last_family_ && !six.resolved) return four.resolved_at + options_.resolution_delay;
  if (full())
    return std::max(last_start_ + options_.attempt_delay, attempts_.begin()->second + options_.patience);
  if (attempts_.empty() || hurry_) return TimePoint{};
  return last_start_ + options_.attempt_delay;
}

std::optional<Race::Step> Race::next(TimePoint now, Room room) {
  const auto due = next_deadline();
  if (!due || now < *due) return std::nullopt;
  std::optional<AttemptId> gives_way;
  if (!attempts_.empty() && (full() || room == Room::first_only)) {
    const auto [oldest, begun] = *attempts_.begin();
    if (now < begun + options_.patience) {
      hurry_ = false;
      last_start_ = now;  // asks for room again after the usual delay
      return std::nullopt;
    }
    gives_way = oldest;
    attempts_.erase(oldest);
  }
  const Family family = next_family();
  auto& untried = half(family).untried;
  Step step{.id = ++last_id_, .address = untried.front(), .gives_way = gives_way};
  untried.pop_front();
  attempts_.emplace(step.id, now);
  last_family_ = family;
  last_start_ = now;
  hurry_ = false;
  return step;
}

void Race::failed(AttemptId id) {
  if (attempts_.erase(id) > 0) hurry_ = true;
}

bool Race::lost() const {
  return attempts_.empty() &&
         std::ranges::all_of(halves_, [](const Half& each) { return each.resolved && each.untried.empty(); });
}

}  // namespace sluice::dialing
