#include "api/reconnect_pace.hpp"

#include <algorithm>
#include <utility>

namespace sluice::api {

Duration ReconnectPace::pause_after(const End& end, TimePoint now) {
  const auto since = std::exchange(connected_at_, std::nullopt);
  if (since && now - *since >= limits::kTunnelSettled) backoff_.reset();
  const Duration bound = backoff_.bound();
  const Duration pause = backoff_.next(end.random);
  if (end.why != Errc::busy) return pause;
  // Half of it is certain: each visit takes the host's only place for an introduction.
  return std::max<Duration>(limits::kHostFullPause, bound / 2 + pause / 2);
}

}  // namespace sluice::api
