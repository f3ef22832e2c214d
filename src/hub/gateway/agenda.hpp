#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/time.hpp"

namespace sluice::hub {

/// What is to happen when: one time for each key, the earliest first.
///
/// Pure. Bounded by its owner's keys.
template <typename Key>
class Agenda {
 public:
  /// In place of what the key had before.
  void put(const Key& key, TimePoint at) {
    const auto [entry, is_new] = times_.try_emplace(key, at);
    if (!is_new) {
      if (entry->second == at) return;
      order_.erase({entry->second, key});
      entry->second = at;
    }
    order_.emplace(at, key);
  }
  void remove(const Key& key) {
    const auto entry = times_.find(key);
    if (entry == times_.end()) return;
    order_.erase({entry->second, key});
    times_.erase(entry);
  }
  void clear() {
    times_.clear();
    order_.clear();
  }

  [[nodiscard]] std::size_t size() const { return times_.size(); }
  /// The key whose time is the earliest.
  [[nodiscard]] std::optional<Key> first() const {
    return order_.empty() ? std::nullopt : std::optional{order_.begin()->second};
  }
  [[nodiscard]] std::optional<TimePoint> next() const {
    return order_.empty() ? std::nullopt : std::optional{order_.begin()->first};
  }
  /// One whose time has come; it is not in it any more.
  [[nodiscard]] std::optional<Key> take_due(TimePoint now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    Key key = order_.begin()->second;
    times_.erase(key);
    order_.erase(order_.begin());
    return key;
  }

 private:
  std::map<Key, TimePoint> times_;
  std::set<std::pair<TimePoint, Key>> order_;
};

}  // namespace sluice::hub
