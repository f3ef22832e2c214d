#include "hub/gateway/history.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub {

using wire::hub::Position;

History::History(std::vector<Position> begins, Position head) : begins_(std::move(begins)), head_(head) {
  ENSURE(!begins_.empty());
}

Position History::start() const {
  const Position& first = begins_.front();
  return {.epoch = first.epoch, .offset = first.offset - 1};
}

/// The first epoch that is later.
std::vector<Position>::const_iterator History::behind(std::uint64_t epoch) const {
  return std::ranges::upper_bound(begins_, epoch, {}, &Position::epoch);
}

std::uint64_t History::end_of(std::uint64_t epoch) const {
  const auto next = behind(epoch);
  return next == begins_.end() ? head_.offset : next->offset - 1;
}

Position History::placed(Position position) const {
  const auto next = behind(position.epoch);
  if (next == begins_.begin() || position.offset + 1 >= std::prev(next)->offset) return position;
  const auto later = std::ranges::upper_bound(begins_, position.offset, {}, &Position::offset);
  const auto& begin = later == begins_.begin() ? *later : *std::prev(later);
  return {.epoch = begin.epoch, .offset = position.offset};
}

Junction History::junction(Position position, Epoch epoch) const {
  const std::uint64_t end = end_of(position.epoch);
  if (epoch == Epoch::ours && position.offset <= end) return {.from = placed(position)};
  const auto next = behind(position.epoch);
  if (next == begins_.begin()) return {.from = start(), .is = Junction::Is::parted};
  // The client has come no further than its own offset, whatever there is here.
  const Position last{.epoch = std::prev(next)->epoch, .offset = std::min(end, position.offset)};
  return {.from = placed(last), .is = Junction::Is::parted};
}

}  // namespace sluice::hub
