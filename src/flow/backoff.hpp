#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace sluice::flow {

struct BackoffOptions {
  Duration first = std::chrono::milliseconds{500};  ///< The longest first wait; positive.
  Duration longest = std::chrono::seconds{30};      ///< The cap; not below `first`.
};

/// How long to wait before the next try: exponential with full jitter (each wait is uniform between nothing
/// and a bound that doubles up to the cap), which spreads a crowd that lost the same server better than
/// jitter around a mean (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
///
/// Pure: the randomness is the caller's.
class Backoff {
 public:
  explicit Backoff(BackoffOptions options = {});

  /// The wait before the next try. `random` is uniform in [0, 1); anything else is taken for the nearest of
  /// both.
  [[nodiscard]] Duration next(double random);
  /// It worked: the next failure begins anew.
  void reset();

  [[nodiscard]] Duration bound() const { return bound_; }       ///< The longest that `next` may answer now.
  [[nodiscard]] std::uint64_t tries() const { return tries_; }  ///< Since the last reset.
  [[nodiscard]] std::uint64_t all_tries() const { return all_tries_; }

 private:
  BackoffOptions options_;
  Duration bound_;
  std::uint64_t tries_ = 0;
  std::uint64_t all_tries_ = 0;
};

}  // namespace sluice::flow
