#pragma once

#include "core/limits.hpp"
#include "core/time.hpp"
#include "flow/backoff.hpp"

namespace sluice::rendezvous {

/// How soon a host opens its next mailbox, or takes its next visitor, after what happened to the last.
///
/// Pure: the caller waits, and brings the chance that spreads many hosts out after a hub's restart.
class HostPace {
 public:
  struct Times {
    flow::BackoffOptions guess{.first = limits::kGuessPauseFirst, .longest = limits::kGuessPauseLongest};
    flow::BackoffOptions hub{.first = limits::kHubRetryFirst, .longest = limits::kHubRetryLongest};
  };
  explicit HostPace(Times times) : guesses_(times.guess), hub_(times.hub) {}

  /// A mailbox was opened: the hub is there.
  void opened() { hub_.reset(); }
  /// A visitor proved himself: whoever guesses has not scared everybody away.
  void confirmed();

  /// The code was burnt. Nothing for the first `limits::kBurntCodesAtOnce` in a row; then twice as long each
  /// time.
  [[nodiscard]] Duration burnt();
  /// A wrong key, in the place of a code: nothing is burnt, but the place stays taken so long, twice as long
  /// each time up to `limits::kIntroduction`.
  [[nodiscard]] Duration wrong_key();
  /// The hub was lost, or could not be reached. `chance` is uniform in [0, 1).
  [[nodiscard]] Duration hub_lost(double chance) { return hub_.next(chance); }

 private:
  /// Without jitter: it is one host that waits, and the guesser shall not be lucky.
  [[nodiscard]] Duration next_guess_pause();

  int burnt_in_a_row_ = 0;
  flow::Backoff guesses_;
  flow::Backoff hub_;
};

}  // namespace sluice::rendezvous
