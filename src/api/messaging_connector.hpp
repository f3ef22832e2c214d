#pragma once

#include "api/peer_options.hpp"
#include "client/messaging/hub_client.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::api {

/// Connections to that hub's `/v1/hub`, spoken in that encoding.
[[nodiscard]] messaging::Connector messaging_connector(HubAddress hub, wire::hub::Encoding encoding);

}  // namespace sluice::api
