#pragma once

#include <cstdint>

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
    Duration settled = limits::kMailboxSettled;  ///< How long a mailbox lives at a hub that means well.
  };
  explicit HostPace(Times times) : settled_(times.settled), guesses_(times.guess), hub_(times.hub) {}

  /// A mailbox was opened. That alone says little for the hub, which may end it at once.
  void opened(TimePoint now);
  /// A visitor proved himself: whoever guesses has not scared everybody away, and the hub has done its work.
  void confirmed();
  /// That mailbox has come to its end. One that lived for `settled`, or saw a visitor who proved himself, has
  /// had its life, and the next loss of the hub begins anew.
  enum class Life : std::uint8_t { full, cut_short };
  Life closed(TimePoint now);

  /// The code was burnt. Nothing for the first `limits::kBurntCodesAtOnce` in a row; then twice as long each
  /// time.
  [[nodiscard]] Duration burnt();
  /// A wrong key, in the place of a code: nothing is burnt, but the place stays taken so long, twice as long
  /// each time up to `limits::kIntroduction`.
  [[nodiscard]] Duration wrong_key();
  /// The hub was lost, could not be reached, or cut a mailbox's life short. `chance` is uniform in [0, 1).
  [[nodiscard]] Duration hub_lost(double chance) { return hub_.next(chance); }

 private:
  /// Without jitter: it is one host that waits, and the guesser shall not be lucky.
  [[nodiscard]] Duration next_guess_pause();

  Duration settled_;
  TimePoint opened_;
  bool served_ = false;  ///< In the mailbox that is open.
  int burnt_in_a_row_ = 0;
  flow::Backoff guesses_;
  flow::Backoff hub_;
};

}  // namespace sluice::rendezvous
