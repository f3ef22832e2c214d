#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

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
/// come back, at random, so that they come apart. An address block that has come often in the present second
/// or the one before, whatever it proves, leaves a part of the burst to those that have not; while none of
/// them comes it may have the whole rate.
///
/// Pure. One shard. Bounded by `kBlocks` for each of these two seconds.
class Turnstile {
 public:
  /// Uniform in [0, below).
  using Random = std::function<std::uint64_t(std::uint64_t below)>;
  Turnstile(TurnstileLimits limits, Random random, TimePoint now)
      : limits_(limits), random_(std::move(random)), bucket_(limits.rate, now) {}

  /// One part in so many of a second's upgrades makes a block a busy one; a few are never too many.
  static constexpr std::uint64_t kBusyShare = 32;
  static constexpr std::uint64_t kNeverBusy = 8;
  /// Blocks that are counted in one second: more than are admitted in it, unless an operator says otherwise.
  static constexpr std::size_t kBlocks = 8'192;

  enum class Standing : std::uint8_t { newcomer, resumes };
  struct Visitor {
    Standing standing;
    std::string block;  ///< What its address counts under (transport/address_block.hpp).
  };
  /// Nothing: it may come in, and is counted. Otherwise when to try again.
  [[nodiscard]] std::optional<std::chrono::seconds> ask(const Visitor& visitor, TimePoint now);

  void set_limits(TurnstileLimits limits, TimePoint now);

  struct Counts {
    std::uint64_t admitted = 0;
    std::uint64_t sent_away = 0;
    std::uint64_t resumes_sent_away = 0;  ///< Of them.
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] bool has_room(const Visitor& visitor, TimePoint now);
  [[nodiscard]] bool is_busy(const std::string& block) const;
  void begin_second(TimePoint now);

  using Visits = std::unordered_map<std::string, std::uint64_t>;  ///< By block, admitted or not.
  TurnstileLimits limits_;
  Random random_;
  flow::TokenBucket bucket_;
  TimePoint second_{};            ///< When the present one began.
  std::array<Visits, 2> visits_;  ///< In it, and in the one before.
  Counts counts_;
};

}  // namespace sluice::hub
