#include "flow/token_bucket.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::flow {

namespace {

std::uint64_t nanoseconds(Duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

void ensure_sound(const TokenRate& rate) {
  ENSURE(rate.burst >= 1 && rate.burst <= TokenRate::kLargest);
  ENSURE(rate.tokens >= 1 && rate.tokens <= TokenRate::kLargest);
  ENSURE(rate.per > Duration::zero() && rate.per <= std::chrono::hours{24 * 365});
}

}  // namespace

TokenBucket::TokenBucket(TokenRate rate, TimePoint now)
    : rate_(rate), per_ns_(nanoseconds(rate.per)), level_(rate.burst), filled_at_(now) {
  ensure_sound(rate);
}

void TokenBucket::set_rate(TokenRate rate, TimePoint now) {
  ensure_sound(rate);
  refill(now);
  const std::uint64_t owed = std::min(rate_.burst - level_, rate.burst);
  rate_ = rate;
  level_ = rate.burst - owed;
  // A part of a token is a part of its period: of another one it would be too much, or more than a token.
  const bool same_period = nanoseconds(rate.per) == std::exchange(per_ns_, nanoseconds(rate.per));
  if (owed == 0 || !same_period) part_ = 0;
}

void TokenBucket::refill(TimePoint now) {
  if (now <= filled_at_) return;
  // Step by step of at most a second, so that the product fits; not more steps than fill the bucket.
  std::uint64_t elapsed = nanoseconds(now - filled_at_);
  filled_at_ = now;
  constexpr std::uint64_t kStep = 1'000'000'000;
  while (elapsed > 0 && level_ < rate_.burst) {
    // Whole periods at once: a long silence costs one step.
    if (elapsed >= per_ns_) {
      const std::uint64_t periods = elapsed / per_ns_;
      elapsed %= per_ns_;
      const std::uint64_t needed = (rate_.burst - level_ + rate_.tokens - 1) / rate_.tokens;
      level_ += std::min(periods, needed) * rate_.tokens;
      continue;
    }
    const std::uint64_t step = std::min(elapsed, kStep);
    elapsed -= step;
    part_ += step * rate_.tokens;
    level_ += part_ / per_ns_;
    part_ %= per_ns_;
  }
  if (level_ >= rate_.burst) {
    level_ = rate_.burst;
    part_ = 0;
  }
}

bool TokenBucket::take(std::uint64_t tokens, TimePoint now) {
  refill(now);
  if (tokens > level_) {
    ++stats_.refused;
    return false;
  }
  level_ -= tokens;
  stats_.taken += tokens;
  return true;
}

Duration TokenBucket::wait_for(std::uint64_t tokens, TimePoint now) {
  ENSURE(tokens <= rate_.burst);
  refill(now);
  if (tokens <= level_) return Duration::zero();
  // missing * per / tokens, in whole periods and a rest so that it fits, rounded up.
  const std::uint64_t missing = tokens - level_;
  const std::uint64_t periods = missing / rate_.tokens;
  const std::uint64_t rest = missing % rate_.tokens;
  const double part = static_cast<double>(rest) * static_cast<double>(per_ns_) - static_cast<double>(part_);
  const double extra = part / static_cast<double>(rate_.tokens);
  const auto whole = std::chrono::nanoseconds{periods * per_ns_};
  return std::chrono::duration_cast<Duration>(whole +
                                              std::chrono::nanoseconds{static_cast<std::int64_t>(extra) + 1});
}

std::uint64_t TokenBucket::available(TimePoint now) {
  refill(now);
  return level_;
}

}  // namespace sluice::flow
