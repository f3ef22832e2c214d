#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/bytes.hpp"

namespace sluice::flow {

struct AccountStats {
  Bytes held;
  Bytes peak;
  Bytes limit;
  std::uint64_t refused = 0;
};

/// Who holds how many buffered bytes, of how many that they may: a tree, connection under user under process.
///
/// What is charged to one is charged to all above it. Any thread; the amounts are exact, and two that charge
/// at once never pass a limit together. Invariant: an account holds what its children hold and what it was
/// charged itself.
class Account {
 public:
  Account(Bytes limit, std::shared_ptr<Account> parent) : limit_(limit.count()), parent_(std::move(parent)) {}
  explicit Account(Bytes limit) : Account(limit, nullptr) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;
  ~Account();  ///< What is still held here is given back above.

  /// All of it, here and above, or nothing where that would pass a limit.
  [[nodiscard]] bool try_charge(Bytes amount);
  /// What cannot be refused any more: may pass the limits, and then `over` says so.
  void charge(Bytes amount);
  void release(Bytes amount);  ///< Requires it to be held.

  /// At its limit or past it, here or above: something is to be given up.
  [[nodiscard]] bool over() const;
  [[nodiscard]] AccountStats stats() const;
  void set_limit(Bytes limit) { limit_.store(limit.count(), std::memory_order_relaxed); }

 private:
  void note_peak(std::uint64_t held);

  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> held_{0};
  std::atomic<std::uint64_t> peak_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::shared_ptr<Account> parent_;
};

}  // namespace sluice::flow
