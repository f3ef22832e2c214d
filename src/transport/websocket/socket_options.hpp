#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "flow/account.hpp"
#include "transport/http.hpp"
#include "transport/message_socket.hpp"
#include "transport/websocket/frame.hpp"

namespace sluice::websocket {

/// What may be spoken over a socket (RFC 6455 §1.9), and in which kind of messages.
struct Subprotocol {
  std::string name;
  FrameReaderOptions::Accepts messages = FrameReaderOptions::Accepts::both;
};

struct SocketOptions {
  /// The one that is liked best first. A client must offer one of them; empty: any client is taken, and no
  /// subprotocol is named.
  std::vector<Subprotocol> subprotocols{};
  Bytes max_message = limits::kMaxEnvelope;  ///< From the client.
  Duration ping = limits::kHubHeartbeat;
  std::uint64_t missed_pings = limits::kMissedPings;  ///< In a row, without a word: it is taken for dead.
  Duration close_timeout = limits::kLinkCloseTimeout;
  Duration linger = limits::kHttpLinger;
  /// Pays for messages of which a part has come, and for what waits until it may be read, on every shard. A
  /// client for whose part there is no room is refused (1013). Null: they are bounded, and not counted.
  std::shared_ptr<flow::Account> memory{};
  /// Asked about each client whose upgrade is good, on the server's shard. When it returns a time, the client
  /// is not let in and told to come again after it (503).
  std::function<std::optional<std::chrono::seconds>(const transport::HttpRequest&)> busy{};
};

/// An event loop on which sockets live, and who takes them there.
///
/// Its loop may stop at any time; it is destroyed after the server's `stop` has ended, and before the
/// server's own loop, to which connections say that they are gone. Its sockets are ended by whoever took
/// them: the server's `stop` waits for them and does not end them, except where the executor is the server's
/// own.
struct SocketShard {
  boost::asio::any_io_executor executor;
  transport::SocketHandler handler;  ///< Called on this shard only, also a little after `stop`.
};

}  // namespace sluice::websocket
