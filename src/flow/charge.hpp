#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "core/bytes.hpp"
#include "flow/account.hpp"

namespace sluice::flow {

/// Bytes that an account holds for as long as this lives.
class Charge {
 public:
  Charge() = default;  ///< Nothing.
  /// What cannot be refused any more; see `Account::charge`.
  Charge(std::shared_ptr<Account> account, Bytes amount) : account_(std::move(account)), amount_(amount) {
    account_->charge(amount_);
  }
  /// Nothing where that would pass a limit.
  [[nodiscard]] static std::optional<Charge> try_make(std::shared_ptr<Account> account, Bytes amount) {
    if (!account->try_charge(amount)) return std::nullopt;
    Charge charge;
    charge.account_ = std::move(account);
    charge.amount_ = amount;
    return charge;
  }
  Charge(Charge&& other) noexcept
      : account_(std::move(other.account_)), amount_(std::exchange(other.amount_, Bytes{})) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(amount_, other.amount_);
    return *this;
  }
  ~Charge() {
    if (account_) account_->release(amount_);
  }

 private:
  std::shared_ptr<Account> account_;
  Bytes amount_;
};

}  // namespace sluice::flow
