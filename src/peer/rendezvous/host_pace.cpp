#include "peer/rendezvous/host_pace.hpp"

#include <algorithm>

namespace sluice::rendezvous {

void HostPace::opened(TimePoint now) {
  opened_ = now;
  served_ = false;
}

HostPace::Life HostPace::closed(TimePoint now) {
  if (!served_ && now - opened_ < settled_) return Life::cut_short;
  hub_.reset();
  return Life::full;
}

void HostPace::confirmed() {
  served_ = true;
  burnt_in_a_row_ = 0;
  guesses_.reset();
}

Duration HostPace::burnt() {
  if (burnt_in_a_row_ >= limits::kBurntCodesAtOnce) return next_guess_pause();
  ++burnt_in_a_row_;
  return Duration::zero();
}

Duration HostPace::wrong_key() {
  return std::min<Duration>(next_guess_pause(), limits::kIntroduction);
}

Duration HostPace::next_guess_pause() {
  const Duration pause = guesses_.bound();
  (void)guesses_.next(1.0);  // only for the bound to grow
  return pause;
}

}  // namespace sluice::rendezvous
