#pragma once

#include "api/peer_options.hpp"
#include "client/messaging/hub_client.hpp"
#include "core/error.hpp"
#include "transport/connected_socket.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::api {

/// Why an attempt at that hub's `/v1/hub` made no connection. Requires that it made none. `unsupported`: the
/// hub carries no messages.
[[nodiscard]] Error messaging_error(const HubAddress& hub, const transport::SocketAttempt& attempt);

/// Connections to that hub's `/v1/hub`, spoken in that encoding.
[[nodiscard]] messaging::Connector messaging_connector(HubAddress hub, wire::hub::Encoding encoding);

}  // namespace sluice::api
