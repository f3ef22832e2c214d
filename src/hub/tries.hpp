#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>

#include "core/time.hpp"

namespace sluice::hub {

struct TryLimits {
  int burst;                ///< Tries at once.
  Duration interval;        ///< One more after each.
  std::size_t max_tracked;  ///< Addresses that are counted one by one.
};

/// Limits how often each address may fail, in the manner of a leaky bucket that is kept as one time: when it
/// will have leaked empty (the "theoretical arrival time" of ATM Forum TM 4.0 §4.4.2).
///
/// Sans-I/O. Bounded: an address is forgotten once its bucket is empty; when `max_tracked` are remembered,
/// those that are not share one bucket, so that a flood of addresses gains nothing.
class Tries {
 public:
  explicit Tries(TryLimits limits) : limits_(limits) {}

  /// How long this address must wait for its next try; nothing when it may try now.
  [[nodiscard]] Duration wait(const std::string& address, TimePoint now) const;
  /// One failed try.
  void charge(const std::string& address, TimePoint now);

  void set_limits(TryLimits limits) { limits_ = limits; }

  [[nodiscard]] std::size_t tracked() const { return empty_at_.size(); }

 private:
  void forget_old(TimePoint now);

  TryLimits limits_;
  std::unordered_map<std::string, TimePoint> empty_at_;
  std::deque<std::string> order_;  ///< Each tracked address once; the oldest are looked at first.
  TimePoint others_empty_at_{};
};

}  // namespace sluice::hub
