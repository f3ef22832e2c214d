#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub/store/message.hpp"

namespace sluice::hub::store {

/// The last position of each inbox that each device has acknowledged and that no commit has taken along yet.
///
/// Any thread. At most `limits::kWaitingAcknowledgements` of them, and `DeviceMarks::kMost` of an inbox,
/// those included that a commit is at: a user who names a new device with each connection takes nobody else's
/// place.
class Acknowledgements {
 public:
  /// False: there are too many, or too many of this inbox; the mark stays where it was.
  bool note(Mark mark);
  /// Of that inbox and device, also while a commit is at it.
  [[nodiscard]] std::optional<Position> find(const Conversation& inbox, std::string_view device) const;
  [[nodiscard]] bool empty() const;

  /// All of them, for a commit; one at a time. They are known here until it is over.
  [[nodiscard]] std::vector<Mark> take();
  void committed();
  void failed();  ///< They wait for the next one.

 private:
  using Owner = std::pair<Conversation, std::string>;
  [[nodiscard]] std::size_t devices_of(const Conversation& inbox) const;

  mutable std::mutex mutex_;
  std::map<Owner, Position> waiting_;
  std::size_t fresh_ = 0;  ///< Those of `waiting_` that are not in `committing_` as well.
  std::map<Owner, Position> committing_;
};

}  // namespace sluice::hub::store
