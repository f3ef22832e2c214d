#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::flow {

/// Bytes per second over the last two seconds, for displays: long enough to read, short enough to follow.
///
/// Pure; constant size (slots of 250 ms, the one that still fills included). `now` must not run backwards;
/// where it does, the bytes count for the newest slot.
class RateMeter {
 public:
  explicit RateMeter(TimePoint now) : started_(now) {}

  void add(Bytes moved, TimePoint now);
  /// During the first two seconds: over the time since the start.
  [[nodiscard]] Bytes per_second(TimePoint now);
  [[nodiscard]] Bytes total() const { return total_; }

 private:
  static constexpr Duration kSlot = std::chrono::milliseconds{250};
  static constexpr std::size_t kSlots = 8;
  void advance(TimePoint now);

  TimePoint started_;
  std::uint64_t slot_ = 0;  // number of the newest slot since `started_`
  std::array<Bytes, kSlots> slots_{};
  Bytes total_;
};

}  // namespace sluice::flow
