#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace sluice::flow {

/// `tokens` each `per`, and at most `burst` saved up. All at least 1, and at most `kLargest`.
struct TokenRate {
  std::uint64_t burst = 1;
  std::uint64_t tokens = 1;
  Duration per = std::chrono::seconds{1};

  static constexpr std::uint64_t kLargest = 1'000'000'000;  ///< A second of it, in nanoseconds, fits 64 bits.
};

struct TokenBucketStats {
  std::uint64_t taken = 0;    ///< Tokens.
  std::uint64_t refused = 0;  ///< Calls of `take` that found too few.
};

/// Limits how often something may happen: tries, dials, notices. Full at the start.
///
/// Sans-I/O, one thread. Exact: whole tokens, and what is left of one is carried over.
/// Invariant: while its rate stays, in any stretch of time t no more than burst + tokens * t / per are taken.
class TokenBucket {
 public:
  TokenBucket(TokenRate rate, TimePoint now);

  /// Takes all of them or none.
  [[nodiscard]] bool take(std::uint64_t tokens, TimePoint now);
  /// How long until `take` succeeds; zero when it does now. Requires tokens <= burst.
  [[nodiscard]] Duration wait_for(std::uint64_t tokens, TimePoint now);

  [[nodiscard]] std::uint64_t available(TimePoint now);
  [[nodiscard]] std::uint64_t burst() const { return rate_.burst; }
  /// From now on at another rate. What was taken and has not come back yet is owed still, up to a whole burst
  /// of the new rate: a change hands out no burst of its own.
  void set_rate(TokenRate rate, TimePoint now);
  [[nodiscard]] const TokenBucketStats& stats() const { return stats_; }

 private:
  void refill(TimePoint now);

  TokenRate rate_;
  std::uint64_t per_ns_;
  std::uint64_t level_;
  std::uint64_t part_ = 0;  // of the next token, in 1/per_ns_
  TimePoint filled_at_;
  TokenBucketStats stats_;
};

}  // namespace sluice::flow
