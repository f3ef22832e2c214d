#pragma once

#include <cstddef>

#include "core/limits.hpp"
#include "core/tunnel_limits.hpp"

namespace sluice::api {

/// What the descriptors that a process may have are for.
struct DescriptorPlan {
  std::size_t sessions = 0;  ///< Peers that it can be connected to at the same time.
  std::size_t streams = 0;   ///< Sockets of all sessions together.
};

struct DescriptorNeeds {
  std::size_t limit = 0;        ///< RLIMIT_NOFILE.
  std::size_t open = 0;         ///< In use already.
  std::size_t per_session = 1;  ///< What the path to one peer takes.
  std::size_t sessions = limits::kMaxSessions;
};

/// Divides descriptors between the control plane and streams, so that connections never take those that the
/// next client, the hub or a look-up needs. Pure. Of what is free a part is kept for the process itself
/// (`limits::kReservedDescriptors`) and another one for sessions, one at least; streams have the rest.
[[nodiscard]] DescriptorPlan plan_descriptors(const DescriptorNeeds& needs);

/// The limit of this process, and how many it has open.
[[nodiscard]] DescriptorNeeds descriptors_now();

}  // namespace sluice::api
