#include "hub/service/user_shares.hpp"

#include <algorithm>

namespace sluice::hub::service {

std::shared_ptr<UserShare> UserShares::of(const std::string& user) {
  const std::scoped_lock lock{mutex_};
  if (shares_.size() >= forget_at_) forget_unused();
  std::weak_ptr<UserShare>& known = shares_[user];
  auto share = known.lock();
  if (!share) {
    share = std::make_shared<UserShare>(settings_, process_);
    known = share;
  }
  return share;
}

void UserShares::forget_unused() {
  std::erase_if(shares_, [](const auto& entry) { return entry.second.expired(); });
  forget_at_ = std::max<std::size_t>(1'024, 2 * shares_.size());
}

void UserShares::set_settings(const GatewaySettings& settings) {
  const std::scoped_lock lock{mutex_};
  settings_ = settings;
  for (const auto& [user, known] : shares_) {
    const auto share = known.lock();
    if (!share) continue;
    share->memory->set_limit(settings.user_memory);
    share->messages.set_rate(settings.per_user.messages);
    share->bytes.set_rate(settings.per_user.bytes);
  }
}

std::size_t UserShares::size() const {
  const std::scoped_lock lock{mutex_};
  return static_cast<std::size_t>(
      std::ranges::count_if(shares_, [](const auto& entry) { return !entry.second.expired(); }));
}

}  // namespace sluice::hub::service
