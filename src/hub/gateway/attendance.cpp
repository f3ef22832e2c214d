#include "hub/gateway/attendance.hpp"

#include "core/ensure.hpp"

namespace sluice::hub {

void Attendance::come(const std::string& user, ShardId shard, bool watches) {
  if (watches) ++watchers_[shard];
  if (members_[user]++ == 0) note(user, false);
}

void Attendance::go(const std::string& user, ShardId shard, bool watches) {
  const auto member = members_.find(user);
  ENSURE(member != members_.end());
  if (watches) {
    const auto watchers = watchers_.find(shard);
    ENSURE(watchers != watchers_.end());
    if (--watchers->second == 0) watchers_.erase(watchers);
  }
  if (--member->second > 0) return;
  members_.erase(member);
  note(user, true);
}

void Attendance::note(const std::string& user, bool was_online) {
  if (watchers_.empty()) {
    changed_.clear();
    return;
  }
  // Back to what was told: no news.
  if (const auto [change, is_new] = changed_.try_emplace(user, was_online); !is_new) changed_.erase(change);
}

std::optional<TimePoint> Attendance::due() const {
  if (changed_.empty()) return std::nullopt;
  return told_at_ ? *told_at_ + kPause : TimePoint{};
}

std::vector<Attendance::Change> Attendance::take_changes(TimePoint now) {
  std::vector<Change> changes;
  for (const auto& [user, was_online] : std::exchange(changed_, {}))
    changes.push_back({.user = user, .online = !was_online});
  if (!changes.empty()) told_at_ = now;
  return changes;
}

}  // namespace sluice::hub
