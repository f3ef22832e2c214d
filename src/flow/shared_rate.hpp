#pragma once

#include <atomic>
#include <cstdint>

#include "core/time.hpp"
#include "flow/token_bucket.hpp"

namespace sluice::flow {

/// A token bucket for several threads: the generic cell rate algorithm (ITU-T I.371, annex A) on one number,
/// the time at which everything that was taken will be paid for. Full at the start.
///
/// Any thread, never waits. Exact in the long run; two that ask at once may both be let through, and the next
/// one pays for it.
class SharedRate {
 public:
  explicit SharedRate(TokenRate rate) { use(rate); }

  /// How long until so many may be taken; zero: now. More than the burst is let through when it is full.
  [[nodiscard]] Duration wait_for(std::uint64_t tokens, TimePoint now) const;
  /// Everything that was taken has been paid for.
  [[nodiscard]] bool is_full(TimePoint now) const;
  /// May go into debt.
  void take(std::uint64_t tokens, TimePoint now);
  /// From now on at another rate: the tokens that are owed stay owed, up to a whole burst of the new one. The
  /// same rate changes nothing. One call at a time; what others take meanwhile may count for either rate.
  void set_rate(TokenRate rate, TimePoint now);

 private:
  void use(TokenRate rate);
  [[nodiscard]] std::int64_t cost(std::uint64_t tokens) const;

  std::atomic<std::int64_t> paid_at_{0};  ///< Nanoseconds of the clock.
  std::atomic<double> ns_per_token_{0};
  std::atomic<std::uint64_t> burst_{0};
};

}  // namespace sluice::flow
