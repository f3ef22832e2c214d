#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"

namespace sluice::websocket {

/// The kind of frame that a link's messages travel in (RFC 6455 §5.6). A message of the other kind ends the
/// link.
enum class MessageKind : std::uint8_t { text, binary };

struct LinkOptions {
  MessageKind kind = MessageKind::binary;
  Bytes max_message_size = limits::kMaxReceiveMessage;  ///< Both ways.
  Bytes hard_buffer = limits::kLinkHardBuffer;
  Duration idle_timeout = limits::kWebSocketIdle;
  Duration close_timeout = limits::kLinkCloseTimeout;
};

}  // namespace sluice::websocket
