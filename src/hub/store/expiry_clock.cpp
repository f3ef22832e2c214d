#include "hub/store/expiry_clock.hpp"

namespace sluice::hub::store {

using std::chrono::milliseconds;

ExpiryClock::ExpiryClock(ClockReading at, ClockRecord last) : began_(at), seen_(at) {
  if (last.time == 0) return;
  const milliseconds stop{at.wall - last.wall};
  const bool credible = stop >= milliseconds::zero() && stop <= limits::kClockJump;
  began_.wall = last.time + (credible ? stop.count() : 0);
  if (!credible && std::chrono::abs(stop) > limits::kClockDrift) jump_at_start_ = stop;
}

std::optional<milliseconds> ExpiryClock::observe(ClockReading at) {
  const milliseconds set{(at.wall - seen_.wall) - (at.elapsed - seen_.elapsed).count()};
  seen_ = at;
  if (std::chrono::abs(set) <= limits::kClockDrift) return std::nullopt;
  return set;
}

}  // namespace sluice::hub::store
