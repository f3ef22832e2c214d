#pragma once

#include <functional>

#include <boost/asio/awaitable.hpp>

#include "client/mailbox_client.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "peer/rendezvous/outcome.hpp"
#include "transport/peer_connection.hpp"

namespace sluice::rendezvous {

struct ClientSetup {
  client::Connector connect;
  transport::PeerConnectionFactory make_peer;
  Credential credential;
  std::function<void(Progress)> on_progress{};
  Duration limit =
      limits::kIntroduction;  ///< For finding a free place in the mailbox, and then for the introduction.
  client::MailboxTimes mailbox_times{};
};

/// Meets the host that the credential names, confirms the key and builds the channel; then leaves the hub.
///
/// Errors by phase. `hub`: what the connector says, `link_lost`, `timed_out`. `key`: `not_found` (the code is
/// unknown, used up or expired), `wrong_code`, `busy` (another
/// visitor is there, or the host serves as many as it may), `limit_exceeded` (too many tries), `timed_out`,
/// `unsupported`, `protocol_violation`. `path`: what the peer connection says, or what the host says of its
/// own. Cancellation: throws `operation_aborted`; connection and place end at once.
boost::asio::awaitable<Outcome> connect_as_client(ClientSetup setup);

}  // namespace sluice::rendezvous
