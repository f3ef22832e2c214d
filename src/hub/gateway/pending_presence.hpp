#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Presence that a slow watcher has not been told: the latest of each user in each group.
///
/// Pure. A user who is back to what the watcher was told last is no news, so it holds no more than the users
/// by whom the groups differ from what was told. Bounded by `limits::kPendingPresence`: beyond it what waits
/// of a group is dropped, and the watcher is told to ask who is there.
class PendingPresence {
 public:
  void note(const wire::hub::Presence& what) {
    auto [group, is_new] = groups_.try_emplace(what.group);
    if (!is_new && group->second.dropped) return;
    const auto [user, is_news] = group->second.online.try_emplace(what.user, what.online);
    if (is_news) {
      if (++size_ > limits::kPendingPresence) drop(group->second);
    } else if (user->second != what.online) {
      group->second.online.erase(user);
      --size_;
      if (group->second.online.empty()) groups_.erase(group);
    }
  }
  /// Memory is short: the watcher of the group is to ask who is there.
  void drop(const std::string& group) {
    if (const auto found = groups_.find(group); found != groups_.end()) drop(found->second);
  }
  /// The watcher has left the group.
  void forget(const std::string& group) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    size_ -= found->second.online.size();
    groups_.erase(found);
  }

  [[nodiscard]] bool empty() const { return groups_.empty(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// What it takes, about.
  [[nodiscard]] Bytes bytes() const { return Bytes{size_ * 128}; }

  struct News {
    std::vector<wire::hub::Presence> changes{};
    std::vector<std::string> dropped{};  ///< Groups whose changes were dropped.
  };
  /// About so many of what waits.
  [[nodiscard]] News take(std::size_t most) {
    News news;
    while (!groups_.empty() && news.changes.size() < most) {
      const auto group = groups_.begin();
      if (group->second.dropped) news.dropped.push_back(group->first);
      auto& online = group->second.online;
      while (!online.empty() && news.changes.size() < most) {
        auto user = online.extract(online.begin());
        --size_;
        news.changes.push_back(
            {.group = group->first, .user = std::move(user.key()), .online = user.mapped()});
      }
      if (online.empty()) groups_.erase(group);
    }
    return news;
  }

 private:
  struct Group {
    std::map<std::string, bool> online{};  ///< By user.
    bool dropped = false;
  };
  void drop(Group& group) {
    size_ -= group.online.size();
    group.online.clear();
    group.dropped = true;
  }

  std::map<std::string, Group> groups_;
  std::size_t size_ = 0;
};

}  // namespace sluice::hub
