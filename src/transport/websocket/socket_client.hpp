#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/connected_socket.hpp"
#include "transport/websocket/client.hpp"
#include "transport/websocket/socket_options.hpp"

namespace sluice::websocket {

struct SocketConnectOptions {
  std::string path{};                       ///< Appended to the URL's own; begins with `/`.
  std::vector<Subprotocol> subprotocols{};  ///< Offered, the one that is liked best first.
  Bytes max_message = limits::kMaxHubEnvelope;
  std::optional<std::string> pin{};  ///< Trust the certificate with this fingerprint, and no other one.
  PlainPolicy plain = PlainPolicy::loopback;
  std::optional<Bytes> receive_buffer{};       ///< SO_RCVBUF, for those who want to be slow.
  Duration timeout = limits::kConnectTimeout;  ///< For all of it, name look-up included.
  Duration ping = limits::kHubHeartbeat;
  Duration close_timeout = limits::kLinkCloseTimeout;
  Duration linger = limits::kHttpLinger;
};

/// Opens WebSockets to servers whose frames are of our own making (docs/wire/websocket.md): many of them may
/// read a great deal in one process.
///
/// One shard. What it opens shares a read buffer, the list of trusted roots and a source of masks; all of
/// that lives as long as any of them.
class SocketClient {
 public:
  SocketClient();
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;
  ~SocketClient();

  /// Name look-up, its addresses raced (RFC 8305), TLS, upgrade. The certificate is verified against the
  /// system's roots and the host's name, or by `pin` alone. Cancellation: throws `operation_aborted`, and
  /// nothing is left. Errors: those of `connect`; with `refused` the HTTP status, when there was one. This
  /// may go before it has ended.
  boost::asio::awaitable<transport::SocketAttempt> connect(std::string url, SocketConnectOptions options);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace sluice::websocket
