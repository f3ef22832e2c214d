#include "flow/pool.hpp"

#include <limits>

#include "core/ensure.hpp"

namespace sluice::flow {

Pool::Pool(PoolOptions options)
    : capacity_(options.capacity),
      certain_(options.sessions == 0 ? 0 : options.capacity / kCertainPart / options.sessions),
      certain_left_(options.sessions),
      common_left_(capacity_ - certain_ * options.sessions) {}

PoolStats Pool::stats() const {
  PoolStats all = stats_;
  all.capacity = capacity_;
  return all;
}

Pool::Share::Share(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {
  if (!pool_ || pool_->certain_left_ == 0) return;
  --pool_->certain_left_;
  certain_ = pool_->certain_;
}

Pool::Share::~Share() {
  if (!pool_) return;
  set_held(0);
  if (certain_ > 0) ++pool_->certain_left_;
}

std::uint64_t Pool::Share::room() const {
  if (!pool_) return std::numeric_limits<std::uint64_t>::max() - held_;
  const std::uint64_t own = certain_ - std::min(certain_, held_);
  // After it, what the share has of the common part must not exceed kFactor times what is left of that:
  // common + r <= kFactor (left - r).
  const std::uint64_t most = kFactor * pool_->common_left_;
  const std::uint64_t has = common(held_);
  return own + (most <= has ? 0 : (most - has) / (kFactor + 1));
}

bool Pool::Share::take(std::uint64_t amount) {
  if (amount > room()) {
    ++pool_->stats_.refused;  // without a pool there is always room
    return false;
  }
  set_held(held_ + amount);
  return true;
}

void Pool::Share::give(std::uint64_t amount) {
  ENSURE(amount <= held_);
  set_held(held_ - amount);
}

void Pool::Share::set_held(std::uint64_t held) {
  const std::uint64_t before = std::exchange(held_, held);
  if (!pool_) return;
  pool_->common_left_ += common(before);
  pool_->common_left_ -= common(held);
  pool_->stats_.taken += held;
  pool_->stats_.taken -= before;
  pool_->stats_.peak = std::max(pool_->stats_.peak, pool_->stats_.taken);
}

}  // namespace sluice::flow
