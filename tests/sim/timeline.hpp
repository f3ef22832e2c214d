#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "core/time.hpp"

namespace sluice::sim {

/// Simulated time: what is planned happens in order, and no time passes in between.
class Timeline {
 public:
  [[nodiscard]] TimePoint now() const { return now_; }
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  void at(TimePoint when, std::function<void()> what) {
    plans_.emplace(std::pair{std::max(when, now_), ++planned_}, std::move(what));
  }
  /// Lets the next thing happen. False when nothing is planned any more.
  bool step() {
    if (plans_.empty()) return false;
    auto next = plans_.extract(plans_.begin());
    now_ = next.key().first;
    next.mapped()();
    return true;
  }

 private:
  TimePoint now_{std::chrono::hours{1}};
  std::uint64_t planned_ = 0;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> plans_;
};

/// Chance, the same on every machine for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  struct Range {
    std::uint64_t from;
    std::uint64_t to;
  };
  /// Uniform, both ends included.
  std::uint64_t roll(Range range) { return range.from + engine_() % (range.to - range.from + 1); }
  /// Spread evenly over the powers of two. Requires from > 0.
  std::uint64_t roll_magnitude(Range range) {
    const auto lowest = static_cast<std::uint64_t>(std::bit_width(range.from));
    const auto highest = static_cast<std::uint64_t>(std::bit_width(range.to));
    const std::uint64_t top = std::uint64_t{1} << roll({lowest, highest});
    return std::clamp(roll({top / 2, top}), range.from, range.to);
  }
  bool chance(unsigned percent) { return roll({1, 100}) <= percent; }
  Duration between(Duration from, Duration to) {
    return Duration{static_cast<Duration::rep>(roll(
        {.from = static_cast<std::uint64_t>(from.count()), .to = static_cast<std::uint64_t>(to.count())}))};
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice::sim
