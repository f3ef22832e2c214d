#include "hub/gateway/connection.hpp"

#include <algorithm>

namespace sluice::hub {

bool Answered::begin(std::uint64_t seq) {
  if (seq <= last_) return false;
  last_ = seq;
  open_.insert(seq);
  return true;
}

std::optional<std::uint64_t> Answered::take_news() {
  const std::uint64_t all = open_.empty() ? last_ : *open_.begin() - 1;
  if (all <= told_) return std::nullopt;
  told_ = all;
  return all;
}

void Epochs::note(wire::hub::Position seen) {
  const auto place = std::ranges::lower_bound(begins_, seen.epoch, {}, &wire::hub::Position::epoch);
  if (place == begins_.end() || place->epoch != seen.epoch) {
    begins_.insert(place, seen);
  } else {
    place->offset = std::min(place->offset, seen.offset);
  }
}

wire::hub::Position Epochs::position(std::uint64_t offset) const {
  if (begins_.empty()) return {.epoch = present_, .offset = offset};
  const auto behind = std::ranges::find_if(
      begins_, [offset](const wire::hub::Position& begin) { return begin.offset > offset; });
  const auto& epoch = behind == begins_.begin() ? *behind : *std::prev(behind);
  return {.epoch = epoch.epoch, .offset = offset};
}

}  // namespace sluice::hub
