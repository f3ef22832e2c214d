#include "flow/rate.hpp"

#include <algorithm>
#include <chrono>

namespace sluice::flow {

void RateMeter::advance(TimePoint now) {
  if (now <= started_) return;
  const auto newest = static_cast<std::uint64_t>((now - started_) / kSlot);
  if (newest <= slot_) return;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(newest - slot_, kSlots); ++i)
    slots_[(newest - i) % kSlots] = Bytes{};
  slot_ = newest;
}

void RateMeter::add(Bytes moved, TimePoint now) {
  advance(now);
  slots_[slot_ % kSlots] += moved;
  total_ += moved;
}

Bytes RateMeter::per_second(TimePoint now) {
  advance(now);
  Bytes sum;
  for (const Bytes slot : slots_) sum += slot;
  // The oldest slot that counts began kSlots - 1 slots before the newest.
  const std::uint64_t oldest = slot_ < kSlots ? 0 : slot_ - (kSlots - 1);
  const Duration span =
      std::max<Duration>(now - (started_ + kSlot * static_cast<std::int64_t>(oldest)), kSlot);
  const auto ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
  return sum * 1000 / ms;
}

}  // namespace sluice::flow
