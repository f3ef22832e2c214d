#include "hub/gateway/holes.hpp"

namespace sluice::hub {

using wire::hub::Position;
using wire::hub::Reason;

std::vector<HolePart> parts_of(const Hole& hole, const std::vector<Position>& damaged) {
  std::vector<HolePart> parts;
  std::uint64_t next = hole.first;
  for (const Position& one : damaged) {
    if (one.offset < next) continue;
    if (one.offset >= hole.before.offset) break;
    if (one.offset > next)
      parts.push_back({.epoch = one.epoch, .first = next, .last = one.offset - 1, .reason = Reason::expired});
    const bool goes_on = one.offset == next && !parts.empty() && parts.back().reason == Reason::damaged;
    if (goes_on) {
      parts.back().last = one.offset;
      parts.back().epoch = one.epoch;
    } else {
      parts.push_back(
          {.epoch = one.epoch, .first = one.offset, .last = one.offset, .reason = Reason::damaged});
    }
    next = one.offset + 1;
  }
  if (next < hole.before.offset) {
    parts.push_back({.epoch = hole.before.epoch,
                     .first = next,
                     .last = hole.before.offset - 1,
                     .reason = Reason::expired});
  }
  return parts;
}

}  // namespace sluice::hub
