#pragma once

#include <cstddef>
#include <optional>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "transport/link.hpp"

namespace sluice::api {

/// How a tunnel goes: one session's figures, or the sum over several.
struct TunnelStatus {
  std::size_t sessions = 0;
  std::size_t streams = 0;    ///< Open now.
  Bytes sent;                 ///< Payload of the tunnelled sockets, towards the peer.
  Bytes received;             ///< And from it.
  Duration held_back{};       ///< Time for which the link's backpressure kept this side from sending.
  Duration without_credit{};  ///< The same for the other side's sockets, all streams together.
  Bytes buffered;             ///< Held now for sockets that do not take it, and waiting in links.
  std::optional<Duration> round_trip;   ///< Of the session whose path is named.
  std::optional<transport::Path> path;  ///< Of the youngest session.
};

}  // namespace sluice::api
