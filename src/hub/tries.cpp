#include "hub/tries.hpp"

#include <algorithm>

namespace sluice::hub {

Duration Tries::wait(const std::string& address, TimePoint now) const {
  const auto found = empty_at_.find(address);
  TimePoint empty_at = now;
  if (found != empty_at_.end()) {
    empty_at = found->second;
  } else if (empty_at_.size() >= limits_.max_tracked) {
    empty_at = others_empty_at_;
  }
  return std::max(Duration::zero(), empty_at - now - limits_.interval * (limits_.burst - 1));
}

void Tries::charge(const std::string& address, TimePoint now) {
  forget_old(now);
  auto found = empty_at_.find(address);
  if (found == empty_at_.end() && empty_at_.size() < limits_.max_tracked) {
    found = empty_at_.emplace(address, now).first;
    order_.push_back(address);
  }
  TimePoint& empty_at = found == empty_at_.end() ? others_empty_at_ : found->second;
  // Never further ahead than a full bucket, however often somebody charges it.
  empty_at = std::min(std::max(empty_at, now) + limits_.interval, now + limits_.interval * limits_.burst);
}

void Tries::forget_old(TimePoint now) {
  // Two looks a charge: the table shrinks faster than it can grow, and no single call walks it whole.
  for (int looks = 0; looks < 2 && !order_.empty(); ++looks) {
    std::string oldest = std::move(order_.front());
    order_.pop_front();
    const auto found = empty_at_.find(oldest);
    if (found->second <= now) {
      empty_at_.erase(found);
    } else {
      order_.push_back(std::move(oldest));
    }
  }
}

}  // namespace sluice::hub
