#pragma once

#include <cstddef>

#include "core/bytes.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/message_socket.hpp"

namespace sluice::websocket {

using transport::MessageKind;

struct LinkOptions {
  /// The kind of frame that its messages travel in (RFC 6455 §5.6). One of the other kind ends the link.
  MessageKind kind = MessageKind::binary;
  Bytes max_message_size = limits::kMaxReceiveMessage;  ///< Both ways.
  Bytes hard_buffer = limits::kLinkHardBuffer;
  Duration idle_timeout = limits::kWebSocketIdle;
  Duration close_timeout = limits::kLinkCloseTimeout;
};

}  // namespace sluice::websocket
