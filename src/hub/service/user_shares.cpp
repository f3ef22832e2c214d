#include "hub/service/user_shares.hpp"

#include <algorithm>

namespace sluice::hub::service {

std::shared_ptr<UserShare> UserShares::of(const std::string& user) {
  const std::scoped_lock lock{mutex_};
  if (shares_.size() >= forget_at_) forget_unused();
  std::shared_ptr<UserShare>& share = shares_[user];
  if (!share) share = std::make_shared<UserShare>(settings_, ledger_);
  return share;
}

void UserShares::forget_unused() {
  const TimePoint now = Clock::now();
  std::erase_if(shares_, [now](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->owes_nothing(now);
  });
  forget_at_ = std::max<std::size_t>(1'024, 2 * shares_.size());
}

void UserShares::set_settings(const GatewaySettings& settings) {
  const TimePoint now = Clock::now();
  const std::scoped_lock lock{mutex_};
  settings_ = settings;
  for (const auto& [user, share] : shares_) {
    share->set_memory(settings.user_memory);
    share->set_rates(settings.per_user, now);
  }
}

std::size_t UserShares::size() const {
  const std::scoped_lock lock{mutex_};
  return static_cast<std::size_t>(
      std::ranges::count_if(shares_, [](const auto& entry) { return entry.second.use_count() > 1; }));
}

}  // namespace sluice::hub::service
