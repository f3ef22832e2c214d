#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "flow/token_bucket.hpp"

namespace sluice::hub {

struct TurnstileLimits {
  bool enabled = true;
  flow::TokenRate rate{.burst = limits::kAdmissionBurst, .tokens = limits::kAdmissionsPerSecond};
  Duration retry_after_min = limits::kRetryAfterMin;
  Duration retry_after_max = limits::kRetryAfterMax;
};

/// Admission control for upgrades when all clients come at once: those that prove that they resume a session
/// before those that begin one, and no more in a second than the hub can greet. The others are told when to
/// come back, at random, so that they come apart.
///
/// Pure. One shard.
class Turnstile {
 public:
  /// Uniform in [0, below).
  using Random = std::function<std::uint64_t(std::uint64_t below)>;
  Turnstile(TurnstileLimits limits, Random random, TimePoint now)
      : limits_(limits), random_(std::move(random)), bucket_(limits.rate, now) {}

  enum class Visitor : std::uint8_t { newcomer, resumes };
  /// Nothing: it may come in, and is counted. Otherwise when to try again.
  [[nodiscard]] std::optional<std::chrono::seconds> ask(Visitor visitor, TimePoint now);

  void set_limits(TurnstileLimits limits, TimePoint now);

  struct Counts {
    std::uint64_t admitted = 0;
    std::uint64_t sent_away = 0;
    std::uint64_t resumes_sent_away = 0;  ///< Of them.
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] bool has_room(Visitor visitor, TimePoint now);

  TurnstileLimits limits_;
  Random random_;
  flow::TokenBucket bucket_;
  Counts counts_;
};

}  // namespace sluice::hub
