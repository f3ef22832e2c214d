#pragma once

#include "api/tunnel_status.hpp"
#include "peer/tunnel/endpoint.hpp"

namespace sluice::api {

/// Adds a session's figures to `status`; its path and round trip become those of `status`.
void add_session(TunnelStatus& status, const tunnel::Endpoint& session);

/// Adds what only grows: bytes and time held back.
void add_totals(TunnelStatus& status, const TunnelStatus& more);

}  // namespace sluice::api
