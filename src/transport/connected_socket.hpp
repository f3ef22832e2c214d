#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "transport/message_socket.hpp"

namespace sluice::transport {

/// A socket that this side has opened.
struct ConnectedSocket {
  std::unique_ptr<MessageSocket> socket;
  std::string subprotocol;  ///< What the server chose; empty: none.
  /// Appends a message as one frame that `socket` takes. Lives as long as it likes; the same shard.
  std::function<void(ByteBuffer& out, MessageKind kind, ByteView message)> append_frame;
};

/// What a server said instead of opening a socket.
struct HttpRefusal {
  unsigned status = 0;
  std::optional<std::chrono::seconds> retry_after{};
};

struct SocketAttempt {
  Result<ConnectedSocket> made;
  std::optional<HttpRefusal> refusal{};  ///< With the error `refused`, when it came as an HTTP status.
};

}  // namespace sluice::transport
