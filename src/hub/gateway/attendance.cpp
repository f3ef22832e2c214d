#include "hub/gateway/attendance.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub {

void Attendance::come(const std::string& user, ShardId shard, bool watches) {
  if (watches) ++watchers_[shard];
  if (members_[user]++ == 0) note(user, false, TimePoint{});
}

void Attendance::go(const std::string& user, ShardId shard, bool watches, TimePoint due) {
  const auto member = members_.find(user);
  ENSURE(member != members_.end());
  if (watches) {
    const auto watchers = watchers_.find(shard);
    ENSURE(watchers != watchers_.end());
    if (--watchers->second == 0) watchers_.erase(watchers);
  }
  if (--member->second > 0) return;
  members_.erase(member);
  note(user, true, due);
}

void Attendance::note(const std::string& user, bool was_online, TimePoint due) {
  if (watchers_.empty()) {
    changed_.clear();
    due_.clear();
    return;
  }
  // Back to what was told: no news.
  if (const auto [change, is_new] = changed_.try_emplace(user, was_online); !is_new) {
    changed_.erase(change);
    due_.remove(user);
  } else {
    due_.put(user, due);
  }
}

std::optional<TimePoint> Attendance::due() const {
  const auto due = due_.next();
  if (!due) return std::nullopt;
  return std::max(*due, told_at_ ? *told_at_ + kPause : TimePoint{});
}

std::vector<Attendance::Change> Attendance::take_changes(TimePoint now) {
  std::vector<Change> changes;
  while (auto user = due_.take_due(now)) {
    const auto change = changed_.find(*user);
    ENSURE(change != changed_.end());
    changes.push_back({.user = std::move(*user), .online = !change->second});
    changed_.erase(change);
  }
  if (!changes.empty()) told_at_ = now;
  return changes;
}

}  // namespace sluice::hub
