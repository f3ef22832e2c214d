#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "hub/store/store.hpp"

namespace sluice::hub::store {

/// Appends that wait for their commit, in the order in which they came.
///
/// Pure. Bounded in messages and bytes, and so that no sender takes the room of the others
/// (`flow::Threshold`); what has been taken counts until it is `settled`.
class AppendQueue {
 public:
  explicit AppendQueue(QueueLimits limits) : limits_(limits) {}

  /// False: it is full, or holds too much of this sender's, and is as it was.
  [[nodiscard]] bool push(Append append);
  /// The first ones, as many as one commit takes (`limits::kCommitMessages`, `kCommitBytes`; at least one).
  [[nodiscard]] std::vector<Append> take();
  /// What was taken has its outcome.
  void settled(const std::vector<Append>& taken);

  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  /// There is as much as one commit takes, what has been taken and is not settled included.
  [[nodiscard]] bool fills_commit() const {
    return messages_ >= limits::kCommitMessages || bytes_ >= limits::kCommitBytes;
  }
  /// Messages without an outcome.
  [[nodiscard]] std::size_t unsettled() const { return messages_; }

 private:
  QueueLimits limits_;
  std::deque<Append> waiting_;
  std::size_t messages_ = 0;
  Bytes bytes_{};
  struct Share {
    std::size_t messages = 0;
    Bytes bytes{};
  };
  std::unordered_map<std::string, Share> senders_;  ///< Those of what is not settled.
};

}  // namespace sluice::hub::store
