#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "hub/gateway/agenda.hpp"
#include "hub/gateway/ids.hpp"

namespace sluice::hub {

/// Who is in a group, and which shards have connections that want to hear who comes and goes.
///
/// Pure. What changes soon after the last news waits for `kPause` and is told as one: somebody who comes and
/// goes a thousand times in it is worth nothing, or one word, to each watcher. A user whose connection has
/// ended is told as offline only after a grace: one that is back by then, with a new connection or in place
/// of the old one, was never away. Bounded by the users that a group has, and those who left within the pause
/// or their grace.
class Attendance {
 public:
  static constexpr auto kPause = std::chrono::milliseconds{100};

  void come(const std::string& user, ShardId shard, bool watches);
  /// Requires one that came with the same arguments. `due`: it is not told before, unless the user is back.
  void go(const std::string& user, ShardId shard, bool watches, TimePoint due = {});

  [[nodiscard]] bool has(const std::string& user) const { return members_.contains(user); }
  /// Those who are there, and those whose going may still turn out to be none. A watcher that asks for them
  /// knows who is there from then on: whoever is not named is told when they come.
  struct Present {
    std::vector<std::string> users{};
    bool more = false;
  };
  [[nodiscard]] Present present(std::size_t most) const;
  [[nodiscard]] std::size_t count() const { return members_.size() + graced_; }
  [[nodiscard]] const std::map<ShardId, std::uint32_t>& watchers() const { return watchers_; }

  /// When there is news to tell; nothing while there is none.
  [[nodiscard]] std::optional<TimePoint> due() const;
  struct Change {
    std::string user;
    bool online;

    bool operator==(const Change&) const = default;
  };
  /// Those that are due.
  [[nodiscard]] std::vector<Change> take_changes(TimePoint now);

 private:
  void note(const std::string& user, bool was_online, TimePoint due);

  std::map<std::string, std::uint32_t> members_;
  std::map<ShardId, std::uint32_t> watchers_;
  std::map<std::string, bool> changed_;  ///< What was told last of each, which is not so any more.
  std::size_t graced_ = 0;               ///< Of them those that were told as there.
  Agenda<std::string> due_;              ///< When the change of each may be told.
  std::optional<TimePoint> told_at_;
};

}  // namespace sluice::hub
