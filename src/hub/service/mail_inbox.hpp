#pragma once

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "hub/gateway/mail.hpp"

namespace sluice::hub::service {

/// What other shards have sent to one. Any thread puts, its shard takes; what one puts stays in order.
///
/// Bounded by what its messages are charged to: a publish is refused when the ledger is full.
class MailInbox {
 public:
  /// True: it was empty, and the shard has to be woken.
  [[nodiscard]] bool put(std::vector<Mail> mail) {
    const std::scoped_lock lock{mutex_};
    const bool was_empty = waiting_.empty();
    if (was_empty) {
      waiting_ = std::move(mail);
    } else {
      std::ranges::move(mail, std::back_inserter(waiting_));
    }
    return was_empty;
  }
  [[nodiscard]] std::vector<Mail> take() {
    const std::scoped_lock lock{mutex_};
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Mail> waiting_;
};

}  // namespace sluice::hub::service
