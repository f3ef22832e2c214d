#include "flow/account.hpp"

#include "core/ensure.hpp"

namespace sluice::flow {
namespace {

// Amounts guard nothing but themselves.
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

Account::~Account() {
  const std::uint64_t held = held_.load(kRelaxed);
  if (held > 0 && parent_) parent_->release(Bytes{held});
}

bool Account::try_charge(Bytes amount) {
  const std::uint64_t limit = limit_.load(kRelaxed);
  std::uint64_t held = held_.load(kRelaxed);
  do {
    if (amount.count() > limit || held > limit - amount.count()) {
      refused_.fetch_add(1, kRelaxed);
      return false;
    }
  } while (!held_.compare_exchange_weak(held, held + amount.count(), kRelaxed));
  if (parent_ && !parent_->try_charge(amount)) {
    held_.fetch_sub(amount.count(), kRelaxed);
    refused_.fetch_add(1, kRelaxed);
    return false;
  }
  note_peak(held + amount.count());
  return true;
}

void Account::charge(Bytes amount) {
  for (Account* account = this; account != nullptr; account = account->parent_.get()) {
    account->note_peak(account->held_.fetch_add(amount.count(), kRelaxed) + amount.count());
  }
}

void Account::release(Bytes amount) {
  for (Account* account = this; account != nullptr; account = account->parent_.get()) {
    ENSURE(account->held_.fetch_sub(amount.count(), kRelaxed) >= amount.count());
  }
}

bool Account::over() const {
  for (const Account* account = this; account != nullptr; account = account->parent_.get()) {
    if (account->held_.load(kRelaxed) >= account->limit_.load(kRelaxed)) return true;
  }
  return false;
}

AccountStats Account::stats() const {
  return {.held = Bytes{held_.load(kRelaxed)},
          .peak = Bytes{peak_.load(kRelaxed)},
          .limit = Bytes{limit_.load(kRelaxed)},
          .refused = refused_.load(kRelaxed)};
}

void Account::note_peak(std::uint64_t held) {
  std::uint64_t peak = peak_.load(kRelaxed);
  while (peak < held && !peak_.compare_exchange_weak(peak, held, kRelaxed)) {
  }
}

}  // namespace sluice::flow
