#pragma once

#include <cstdint>

#include "hub/gateway/delivery_times.hpp"

namespace sluice::hub {

/// Where every copy of a message went that the hub took upon itself to bring to a receiver.
///
/// A copy is one message for one connection. Invariant, checked as a metric and when the hub ends:
/// accepted = delivered + gapped + expired + pending, where pending is counted from what in fact waits.
struct Books {
  std::uint64_t accepted = 0;
  std::uint64_t delivered =
      0;                     ///< Acknowledged; for a client that does not acknowledge: given to its socket.
  std::uint64_t gapped = 0;  ///< Dropped, and the client is told by a Gap.
  std::uint64_t expired =
      0;                  ///< Its connection ended first; a session that resumes gets it or is told of it.
  DeliveryTimes times{};  ///< Of those that a socket took, replays not included.

  [[nodiscard]] std::uint64_t pending() const { return accepted - delivered - gapped - expired; }
  [[nodiscard]] bool balance(std::uint64_t waiting) const {
    return accepted == delivered + gapped + expired + waiting;
  }
  Books& operator+=(const Books& other) {
    accepted += other.accepted;
    delivered += other.delivered;
    gapped += other.gapped;
    expired += other.expired;
    times += other.times;
    return *this;
  }
};

}  // namespace sluice::hub
