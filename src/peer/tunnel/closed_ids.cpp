#include "peer/tunnel/closed_ids.hpp"

namespace sluice::tunnel {

void ClosedIds::add(wire::SocketId id) {
  if (!ids_.insert(id).second) return;
  oldest_first_.push_back(id);
  if (oldest_first_.size() <= limit_) return;
  ids_.erase(oldest_first_.front());
  oldest_first_.pop_front();
}

}  // namespace sluice::tunnel
