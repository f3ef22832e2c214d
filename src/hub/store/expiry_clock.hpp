#pragma once

#include <chrono>
#include <optional>

#include "core/hub_limits.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::store {

/// Two clocks at one moment.
struct ClockReading {
  wire::hub::UnixMs wall = 0;  ///< The system's, which anybody may set.
  std::chrono::milliseconds
      elapsed{};  ///< Since some time in the past; only ever forward, suspends included.
};

/// What a run leaves behind for the next.
struct ClockRecord {
  wire::hub::UnixMs time = 0;  ///< By the store's own clock; 0: there was no run before.
  wire::hub::UnixMs wall = 0;  ///< What the wall clock said then.
};

/// The time by which messages grow old.
///
/// Pure. A new store begins with the wall clock. From then on its clock goes with the elapsed time alone: a
/// wall clock that is set ahead, by hand or by mistake, expires nothing, and one that is set back keeps
/// nothing for ever. From run to run it goes on where the run before stopped, and a stop counts as time up to
/// `limits::kClockJump`. A longer one cannot be told from a wrong clock and counts as none, as does one that
/// is negative. So it may fall behind the wall clock, for good; only differences of it mean anything.
class ExpiryClock {
 public:
  ExpiryClock(ClockReading at, ClockRecord last);

  [[nodiscard]] wire::hub::UnixMs now(ClockReading at) const {
    return began_.wall + (at.elapsed - began_.elapsed).count();
  }
  /// How long the stop was by the wall clock, where it was not believed; negative: it went back.
  [[nodiscard]] std::optional<std::chrono::milliseconds> jump_at_start() const { return jump_at_start_; }
  /// How far the wall clock was set since the last call, where that is more than a drift
  /// (`limits::kClockDrift`): ahead, or, negative, back. For the log.
  [[nodiscard]] std::optional<std::chrono::milliseconds> observe(ClockReading at);

 private:
  ClockReading began_;  ///< Its `wall` is the time by this clock.
  ClockReading seen_;
  std::optional<std::chrono::milliseconds> jump_at_start_;
};

}  // namespace sluice::hub::store
