#include "flow/shared_rate.hpp"

#include <algorithm>
#include <chrono>

namespace sluice::flow {
namespace {

std::int64_t in_ns(TimePoint at) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

}  // namespace

void SharedRate::use(TokenRate rate) {
  const auto per = std::chrono::duration_cast<std::chrono::nanoseconds>(rate.per).count();
  ns_per_token_.store(static_cast<double>(per) / static_cast<double>(rate.tokens), std::memory_order_relaxed);
  burst_.store(rate.burst, std::memory_order_relaxed);
}

void SharedRate::set_rate(TokenRate rate, TimePoint now) {
  const double old_price = ns_per_token_.load(std::memory_order_relaxed);
  const std::uint64_t old_burst = burst_.load(std::memory_order_relaxed);
  use(rate);
  const double price = ns_per_token_.load(std::memory_order_relaxed);
  if (price == old_price && rate.burst == old_burst) return;
  const std::int64_t at = in_ns(now);
  std::int64_t before = paid_at_.load(std::memory_order_relaxed);
  std::int64_t after = 0;
  do {
    if (before <= at) return;
    const double owed = static_cast<double>(before - at) / old_price;
    after = at + static_cast<std::int64_t>(std::min(owed, static_cast<double>(rate.burst)) * price);
  } while (!paid_at_.compare_exchange_weak(before, after, std::memory_order_relaxed));
}

std::int64_t SharedRate::cost(std::uint64_t tokens) const {
  return static_cast<std::int64_t>(ns_per_token_.load(std::memory_order_relaxed) *
                                   static_cast<double>(std::min(tokens, TokenRate::kLargest)));
}

Duration SharedRate::wait_for(std::uint64_t tokens, TimePoint now) const {
  const std::uint64_t burst = burst_.load(std::memory_order_relaxed);
  const std::int64_t at = in_ns(now);
  const std::int64_t begin = std::max(paid_at_.load(std::memory_order_relaxed), at);
  const std::int64_t late = begin + cost(std::min(tokens, burst)) - at - cost(burst);
  return std::chrono::nanoseconds{std::max<std::int64_t>(late, 0)};
}

bool SharedRate::is_full(TimePoint now) const {
  return paid_at_.load(std::memory_order_relaxed) <= in_ns(now);
}

void SharedRate::take(std::uint64_t tokens, TimePoint now) {
  const std::int64_t at = in_ns(now);
  const std::int64_t price = cost(tokens);
  std::int64_t before = paid_at_.load(std::memory_order_relaxed);
  while (!paid_at_.compare_exchange_weak(before, std::max(before, at) + price, std::memory_order_relaxed)) {
  }
}

}  // namespace sluice::flow
