#pragma once

#include <cstdint>
#include <optional>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/shared_rate.hpp"

/// For the room itself: how many frames without a message one connection may send.
namespace sluice::websocket {

/// Limits control frames and small fragments (`limits::kFrameTokensPerSecond`): they cost their sender six
/// bytes, and no message rate sees them.
///
/// Pure. A connection over its rate is not read from for a while; one that needs that `limits::kFrameStrikes`
/// times in a row is disconnected.
class FramePace {
 public:
  void on_control_frame(TimePoint now) { take(limits::kControlFrameCost, now); }
  void on_small_fragments(std::uint32_t count, TimePoint now) { take(count, now); }

  /// How long nothing is to be read; nothing: go on. A call that returns a time counts as a strike.
  [[nodiscard]] std::optional<Duration> stop(TimePoint now) {
    if (rate_.wait_for(1, now) == Duration::zero()) return std::nullopt;
    ++strikes_;
    return rate_.wait_for(limits::kFrameTokensPerSecond, now);
  }
  [[nodiscard]] bool exhausted() const { return strikes_ > limits::kFrameStrikes; }

 private:
  void take(std::uint64_t tokens, TimePoint now) {
    if (tokens == 0) return;
    if (rate_.is_full(now)) strikes_ = 0;
    rate_.take(tokens, now);
  }

  flow::SharedRate rate_{
      flow::TokenRate{.burst = limits::kFrameTokenBurst, .tokens = limits::kFrameTokensPerSecond}};
  int strikes_ = 0;
};

}  // namespace sluice::websocket
