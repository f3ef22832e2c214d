#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"

namespace sluice::transport {

/// Which way a link's bytes go, as far as the link itself can tell.
struct Path {
  enum class Kind : std::uint8_t {
    direct,   ///< Straight between the two machines, through NATs at the most.
    relayed,  ///< Through a TURN server.
    server,   ///< A connection between a client and the server that it named.
  };
  Kind kind = Kind::server;
  std::string local;   ///< `address:port`, `[address]:port` for IPv6; empty when unknown.
  std::string remote;  ///< As `local`; for a relayed path the far candidate.
  bool fast = false;   ///< Over the batching data path (GSO/GRO), not through the ICE library.
};

/// What has crossed a link so far; payload bytes, without any framing.
struct LinkStats {
  Bytes sent;
  Bytes received;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::optional<Duration> round_trip;  ///< Smoothed; absent until measured.
};

/// What a link tells its one user.
///
/// Calls come on the link's shard and never from inside `Link::send` or another call of the user's own, so a
/// listener may call the link from them. It may not destroy the link from inside a call.
class LinkListener {
 public:
  virtual ~LinkListener() = default;
  /// One whole message. The view ends with the call.
  virtual void on_message(ByteView message) = 0;
  /// `buffered_amount` has fallen to the low threshold or below it, after having been above (W3C webrtc-pc,
  /// `bufferedamountlow`).
  virtual void on_buffered_amount_low() = 0;
  /// The link has ended; nothing comes after this. `Errc::closed` when either side ended it in good order.
  virtual void on_closed(const Error& reason) = 0;
};

/// A reliable carrier of opaque messages between two ends: a data channel, a WebSocket, a QUIC stream.
///
/// Lives on one shard and is used only there. Bounded by its user: a link takes every message up to
/// `max_message_size`, counts it in `buffered_amount`, and it is the user's gate that stops in time; a link
/// refuses with `limit_exceeded` only beyond a hard limit of its own (`limits::kLinkHardBuffer`).
class Link {
 public:
  virtual ~Link() = default;  ///< Ends the link at once, without a word to the listener.

  /// Names the one listener and lets messages flow; what came before is delivered first. Before this nothing
  /// is dropped. The listener outlives the link or is replaced.
  virtual void listen(LinkListener& listener) = 0;

  /// Queues one message; it is copied before the call returns. Errors: `limit_exceeded` (larger than
  /// `max_message_size`, or the hard buffer limit), `closed`, `link_lost`.
  virtual Status send(ByteView message) = 0;

  /// Payload bytes accepted by `send` and not yet handed to the network (W3C webrtc-pc, `bufferedAmount`):
  /// bytes in flight are not counted.
  [[nodiscard]] virtual Bytes buffered_amount() const = 0;
  virtual void set_buffered_amount_low_threshold(Bytes threshold) = 0;

  /// The largest message that the other side takes.
  [[nodiscard]] virtual Bytes max_message_size() const = 0;

  /// Ends the link in good order: what was accepted is still sent, then the listener hears `closed`. Bounded
  /// in time by `limits::kLinkCloseTimeout`. More calls change nothing.
  virtual void close() = 0;

  [[nodiscard]] virtual LinkStats stats() const = 0;
  [[nodiscard]] virtual Path path() const = 0;
};

}  // namespace sluice::transport
