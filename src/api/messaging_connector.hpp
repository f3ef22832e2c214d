#pragma once

#include <string>
#include <string_view>

#include "api/peer_options.hpp"
#include "client/messaging/hub_client.hpp"
#include "core/error.hpp"
#include "transport/connected_socket.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::api {

/// Why an attempt at that hub's `/v1/hub` made no connection. Requires that it made none. `unsupported`: the
/// hub carries no messages.
[[nodiscard]] Error messaging_error(const HubAddress& hub, const transport::SocketAttempt& attempt);

/// The path of an upgrade, with the proof that it is to resume the session of that token, if there is one.
[[nodiscard]] std::string messaging_path(std::string_view session_token);

/// Connections to that hub's `/v1/hub`, spoken in that encoding.
[[nodiscard]] messaging::Connector messaging_connector(HubAddress hub, wire::hub::Encoding encoding);

}  // namespace sluice::api
