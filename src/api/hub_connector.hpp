#pragma once

#include "api/peer_options.hpp"
#include "api/stage.hpp"
#include "client/mailbox_client.hpp"
#include "peer/rendezvous/outcome.hpp"

namespace sluice::api {

/// Links to the mailboxes of that hub, each over a WebSocket of its own.
[[nodiscard]] client::Connector hub_connector(HubAddress hub);

/// A failed introduction as a job reports it.
[[nodiscard]] Failure to_failure(rendezvous::Failure failure);

}  // namespace sluice::api
