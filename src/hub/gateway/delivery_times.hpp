#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/time.hpp"

namespace sluice::hub {

/// How long messages took from their acceptance to a receiver's socket, in buckets that double. One shard; a
/// few instructions a note, no allocation.
class DeliveryTimes {
 public:
  /// Up to 64 µs, 128 µs, ... 34 s; the last bucket has what took longer.
  static constexpr std::size_t kBuckets = 21;
  using Counts = std::array<std::uint64_t, kBuckets>;
  static constexpr std::chrono::microseconds kLeast{64};

  void add(Duration took, std::uint64_t messages) {
    const auto ticks = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(ticks, 0));
    const auto bucket = static_cast<std::size_t>(std::bit_width(micros / kLeast.count()));
    counts_[std::min(bucket, kBuckets - 1)] += messages;
    micros_ += micros * messages;
  }

  /// What is below the bound of each bucket alone, not of those before it.
  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Of a bucket that has one: all but the last.
  [[nodiscard]] static constexpr std::chrono::microseconds bound(std::size_t bucket) {
    return kLeast * (std::int64_t{1} << bucket);
  }
  [[nodiscard]] std::chrono::duration<double> sum() const {
    return std::chrono::microseconds{static_cast<std::int64_t>(micros_)};
  }

  DeliveryTimes& operator+=(const DeliveryTimes& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    micros_ += other.micros_;
    return *this;
  }

 private:
  Counts counts_{};
  std::uint64_t micros_ = 0;
};

}  // namespace sluice::hub
