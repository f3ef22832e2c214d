#include "flow/backoff.hpp"

#include <algorithm>

#include "core/ensure.hpp"

namespace sluice::flow {

Backoff::Backoff(BackoffOptions options) : options_(options), bound_(options.first) {
  ENSURE(options.first > Duration::zero() && options.first <= options.longest);
}

Duration Backoff::next(double random) {
  ++tries_;
  ++all_tries_;
  const double part = random > 0 ? std::min(random, 1.0) : 0.0;  // a NaN is not above 0
  const auto wait = Duration{static_cast<Duration::rep>(part * static_cast<double>(bound_.count()))};
  // Compared by halves, since a doubled bound might not fit.
  bound_ = bound_ > options_.longest / 2 ? options_.longest : bound_ * 2;
  return std::min(wait, options_.longest);
}

void Backoff::reset() {
  bound_ = options_.first;
  tries_ = 0;
}

}  // namespace sluice::flow
