#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>

#include "core/limits.hpp"
#include "wire/tunnel/ids.hpp"

namespace sluice::tunnel {

/// Remembers the sockets that ended lately, so that late packets are known for what they are, and no id is
/// used again while packets of its former owner may be under way.
///
/// Pure. Bounded: the oldest is forgotten for the newest.
class ClosedIds {
 public:
  explicit ClosedIds(std::size_t limit = limits::kClosedIds) : limit_(limit) {}

  void add(wire::SocketId id);
  [[nodiscard]] bool contains(wire::SocketId id) const { return ids_.contains(id); }
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  std::size_t limit_;
  std::unordered_set<wire::SocketId> ids_;
  std::deque<wire::SocketId> oldest_first_;
};

}  // namespace sluice::tunnel
