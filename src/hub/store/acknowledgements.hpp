#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "hub/store/message.hpp"

namespace sluice::hub::store {

/// The last position of each inbox that was acknowledged and that no commit has taken along yet.
///
/// Any thread. At most `limits::kWaitingAcknowledgements` inboxes, and those of one commit.
class Acknowledgements {
 public:
  /// False: there are too many; the mark stays where it was.
  bool note(const Conversation& inbox, Position up_to);
  /// Of that inbox, also while a commit is at it.
  [[nodiscard]] std::optional<Position> find(const Conversation& inbox) const;
  [[nodiscard]] bool empty() const;

  /// All of them, for a commit; one at a time. They are known here until it is over.
  [[nodiscard]] std::vector<wire::hub::PositionIn> take();
  void committed();
  void failed();  ///< They wait for the next one.

 private:
  mutable std::mutex mutex_;
  std::map<Conversation, Position> waiting_;
  std::map<Conversation, Position> committing_;
};

}  // namespace sluice::hub::store
