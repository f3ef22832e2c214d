#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "transport/link.hpp"

namespace sluice::webrtc {

/// What takes the datagrams of a path, in batches, so that what follows from them (drain SCTP, send replies)
/// happens once a batch. On the path's shard, never from inside `send` or `flush`.
class DatagramReceiver {
 public:
  virtual ~DatagramReceiver() = default;
  /// One datagram; the view ends with the call. The path may not be destroyed from inside it.
  virtual void on_path_datagram(ByteView datagram) = 0;
  /// After the last datagram of a batch. The path may be destroyed from inside it.
  virtual void on_path_batch_end() = 0;
};

/// What a path has carried and what it could not carry.
struct PathStats {
  std::uint64_t datagrams_sent = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t send_calls = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t dropped_backlog = 0;  ///< The socket took nothing and the backlog was full.
  std::uint64_t dropped_error = 0;    ///< The system refused the datagram.
};

/// Carries datagrams to the one address that ICE has selected. One shard.
class DatagramPath {
 public:
  virtual ~DatagramPath() = default;
  /// Appends a datagram to the batch; it is copied. It goes out with `flush` at the latest.
  virtual void send(ByteView datagram) = 0;
  /// Sends one datagram now, in a frame of its own all the way: it is lost where it does not fit, or when it
  /// cannot go out at once.
  virtual void send_whole(ByteView datagram) = 0;
  /// The MTU of the link that the datagrams leave by; absent when nothing is known of it.
  [[nodiscard]] virtual std::optional<Bytes> link_mtu() const = 0;
  /// Sends the batch. What the socket does not take now is kept, within `limits::kPathBacklog`.
  virtual void flush() = 0;
  [[nodiscard]] virtual const transport::Path& info() const = 0;
  [[nodiscard]] virtual const PathStats& stats() const = 0;
};

}  // namespace sluice::webrtc
