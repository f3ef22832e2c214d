#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/bytes.hpp"
#include "core/ensure.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"

namespace sluice::flow {

struct FairQueueOptions {
  Bytes quantum = limits::kFairQuantum;  ///< What a key of weight 1 may send in one turn.
  std::size_t max_keys = limits::kFairKeys;
};

struct FairQueueStats {
  std::uint64_t turns = 0;  ///< Begun.
  Bytes charged;
  std::uint64_t refused = 0;  ///< Keys beyond `max_keys`.
  std::size_t active = 0;
  std::size_t peak = 0;  ///< Most keys active at once.
};

/// Deficit round robin by bytes (Shreedhar and Varghese, 1996) between those that share a link.
///
/// Holds no data: the link pulls. A key that has something to send, and credit for it, is `activate`d; `next`
/// says whose turn it is and how much it may send; `charge` counts what it sent. TCP bytes are divisible, so
/// a packet is cut to what the turn has left, and a key never owes anything. Between two keys that stay
/// active, the bytes sent, each divided by its weight, never differ by more than one quantum; and a key that
/// becomes active waits for one turn of every other at the most. Sans-I/O, one thread. Every call is O(1),
/// one allocation for an activation. Bounded by `max_keys`.
template <typename Key, typename Hash = std::hash<Key>>
class FairQueue {
 public:
  explicit FairQueue(FairQueueOptions options = {}) : options_(options) { ENSURE(options.quantum > Bytes{}); }
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  /// Puts a key at the end of the round; one that is active keeps its place, its deficit and its weight.
  /// Error: `limit_exceeded`.
  Status activate(const Key& key, std::uint32_t weight = 1) {
    ENSURE(weight > 0);
    if (nodes_.contains(key)) return {};
    if (nodes_.size() >= options_.max_keys) {
      ++stats_.refused;
      return fail(Errc::limit_exceeded, std::to_string(nodes_.size()) + " share this link already");
    }
    const auto place = nodes_.try_emplace(key).first;
    Node& node = place->second;
    node.key = &place->first;
    node.weight = weight;
    append(node);
    stats_.active = nodes_.size();
    stats_.peak = std::max(stats_.peak, nodes_.size());
    return {};
  }

  /// Nothing to send any more, or no credit: its turn ends, what it had left is forgotten.
  void deactivate(const Key& key) {
    const auto found = nodes_.find(key);
    if (found == nodes_.end()) return;
    unlink(found->second);
    nodes_.erase(found);
    stats_.active = nodes_.size();
  }

  struct Turn {
    Key key;
    Bytes allowance;  ///< More than nothing.
  };
  /// Whose turn it is; the same answer until that key has used its allowance up, or is deactivated.
  [[nodiscard]] std::optional<Turn> next() {
    if (first_ == nullptr) return std::nullopt;
    if (first_->left == Bytes{}) {
      first_->left = options_.quantum * first_->weight;
      ++stats_.turns;
    }
    return Turn{.key = *first_->key, .allowance = first_->left};
  }

  /// Counts what a key sent in its turn; once it has used its allowance up it goes to the end of the round.
  /// Requires `sent` <= its allowance. A key that is not active is only counted.
  void charge(const Key& key, Bytes sent) {
    stats_.charged += sent;
    const auto found = nodes_.find(key);
    if (found == nodes_.end()) return;
    Node& node = found->second;
    ENSURE(sent <= node.left);
    node.left -= sent;
    if (node.left == Bytes{} && sent > Bytes{}) {
      unlink(node);
      append(node);
    }
  }

  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] bool active(const Key& key) const { return nodes_.contains(key); }
  [[nodiscard]] const FairQueueStats& stats() const { return stats_; }

 private:
  struct Node {
    const Key* key = nullptr;
    std::uint32_t weight = 1;
    Bytes left;  // of the turn that lasts; nothing between turns
    Node* before = nullptr;
    Node* after = nullptr;
  };

  void append(Node& node) {
    node.before = last_;
    node.after = nullptr;
    (last_ != nullptr ? last_->after : first_) = &node;
    last_ = &node;
  }
  void unlink(Node& node) {
    (node.before != nullptr ? node.before->after : first_) = node.after;
    (node.after != nullptr ? node.after->before : last_) = node.before;
  }

  FairQueueOptions options_;
  std::unordered_map<Key, Node, Hash> nodes_;  // nodes stay where they are: the round links them
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  FairQueueStats stats_;
};

}  // namespace sluice::flow
