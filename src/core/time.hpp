#pragma once

#include <chrono>

namespace sluice {

/// The one clock that policies see, always as an argument `now`: monotone, real in the shells, simulated in
/// tests.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

}  // namespace sluice
