#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/link.hpp"
#include "transport/websocket/certificate.hpp"
#include "transport/websocket/link_options.hpp"

namespace sluice::websocket {

/// Where a URL without TLS may lead. What peers say through a hub is sealed, so a reader on the way learns no
/// more than the hub may: who meets whom and when. But he can refuse, delay and burn codes, hence not without
/// being asked to.
enum class PlainPolicy : std::uint8_t {
  loopback,  ///< `ws://` only to this machine.
  anywhere,  ///< Everywhere, with a warning in the log.
};

struct ConnectOptions {
  std::string path{};  ///< Appended to the URL's own; begins with `/`.
  LinkOptions link{};
  std::optional<std::string> pin{};  ///< Trust the certificate with this fingerprint, and no other one.
  PlainPolicy plain = PlainPolicy::loopback;
  Duration timeout = limits::kConnectTimeout;  ///< For all of it, name look-up included.
};

/// Opens a WebSocket to a server: name look-up, its addresses raced (RFC 8305), TLS, upgrade.
///
/// A certificate is verified against the system's roots and the host's name, or by `pin` alone. Runs on the
/// caller's executor, which becomes the link's shard. Cancellation: throws `operation_aborted`, the attempt
/// leaves nothing. Errors: `invalid_argument` (URL, pin), `not_found` (host name), `unreachable` (nobody
/// listens, no route), `timed_out`, `permission_denied` (certificate, or plain beyond loopback),
/// `protocol_violation` (no TLS, no HTTP), `refused` (an HTTP status instead of a WebSocket).
boost::asio::awaitable<Result<std::unique_ptr<transport::Link>>> connect(std::string url,
                                                                         ConnectOptions options);

}  // namespace sluice::websocket
