#pragma once

#include <optional>

#include "core/client_limits.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "flow/backoff.hpp"

namespace sluice::api {

/// How soon a forward with a key seeks its host again: later and later, until a tunnel has lasted for
/// `limits::kTunnelSettled`. That one came up proves little: a host that is full, or that dies under its
/// work, lets many come up.
///
/// Pure: the clock and the randomness are the caller's.
class ReconnectPace {
 public:
  explicit ReconnectPace(flow::BackoffOptions options = {}) : backoff_(options) {}

  void connected(TimePoint now) { connected_at_ = now; }
  /// The tunnel has ended, or none came up. `random` is uniform in [0, 1).
  struct End {
    Errc why;
    double random = 0;
  };
  [[nodiscard]] Duration pause_after(const End& end, TimePoint now);

 private:
  flow::Backoff backoff_;
  std::optional<TimePoint> connected_at_;
};

}  // namespace sluice::api
