#pragma once

#include <optional>
#include <string>

#include "api/peer_options.hpp"
#include "api/stage.hpp"
#include "client/mailbox_client.hpp"
#include "peer/rendezvous/outcome.hpp"

namespace sluice::api {

/// The hub that a user named, and the certificate that he pinned, if he did. Errors: `invalid_argument` for
/// all that no later attempt could heal: a malformed URL or fingerprint, a pin where there is no certificate,
/// a numeric address of another machine without TLS.
[[nodiscard]] Result<HubAddress> parse_hub(std::string url, const std::optional<std::string>& pin);

/// Links to the mailboxes of that hub, each over a WebSocket of its own.
[[nodiscard]] client::Connector hub_connector(HubAddress hub);

/// A failed introduction as a job reports it.
[[nodiscard]] Failure to_failure(rendezvous::Failure failure);

}  // namespace sluice::api
