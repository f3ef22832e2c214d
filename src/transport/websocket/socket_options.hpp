#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
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
  Duration close_timeout = limits::kLinkCloseTimeout;
  Duration linger = limits::kHttpLinger;
  /// When it returns a time, nobody is let in and told to come again after it (503).
  std::function<std::optional<std::chrono::seconds>()> busy{};
};

}  // namespace sluice::websocket
