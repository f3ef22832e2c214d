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
    graced_ = 0;
    due_.clear();
    return;
  }
  // Back to what was told: no news.
  if (const auto [change, is_new] = changed_.try_emplace(user, was_online); !is_new) {
    graced_ -= change->second ? 1 : 0;
    changed_.erase(change);
    due_.remove(user);
  } else {
    graced_ += was_online ? 1 : 0;
    due_.put(user, due);
  }
}

Attendance::Present Attendance::present(std::size_t most) const {
  Present present;
  const auto name = [&](const std::string& user) {
    present.more = present.users.size() == most;
    if (!present.more) present.users.push_back(user);
    return !present.more;
  };
  for (const auto& [user, connections] : members_) {
    if (!name(user)) return present;
  }
  for (const auto& [user, was_online] : changed_) {
    if (was_online && !name(user)) return present;
  }
  return present;
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
    graced_ -= change->second ? 1 : 0;
    changes.push_back({.user = std::move(*user), .online = !change->second});
    changed_.erase(change);
  }
  if (!changes.empty()) told_at_ = now;
  return changes;
}

}  // namespace sluice::hub
