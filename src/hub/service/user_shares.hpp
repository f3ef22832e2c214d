#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "hub/gateway/ledger.hpp"
#include "hub/gateway/settings.hpp"

namespace sluice::hub::service {

/// What the connections of each user have together, wherever they are: made for the first, and kept until
/// they are gone and have paid for what they took of their rates, so that nobody comes again to begin anew.
///
/// Any thread. Bounded by the users who have connections or have just had some; those before them are
/// forgotten when as many again have come.
class UserShares {
 public:
  /// The ledger outlives it.
  UserShares(GatewaySettings settings, const Ledger& ledger)
      : settings_(std::move(settings)), ledger_(ledger) {}

  [[nodiscard]] std::shared_ptr<UserShare> of(const std::string& user);
  /// For all that there are, who owe what they owe, and those to come.
  void set_settings(const GatewaySettings& settings);

  /// Those with connections.
  [[nodiscard]] std::size_t size() const;

 private:
  void forget_unused();

  mutable std::mutex mutex_;
  GatewaySettings settings_;
  const Ledger& ledger_;
  std::unordered_map<std::string, std::shared_ptr<UserShare>> shares_;
  std::size_t forget_at_ = 1'024;  ///< So many entries: time to look for those that nobody uses.
};

}  // namespace sluice::hub::service
