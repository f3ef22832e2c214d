#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"

namespace sluice::webrtc {

/// Whether messages of a stream keep their order (RFC 9260 §6.6, the U flag).
enum class SctpOrder : std::uint8_t { ordered, unordered };

using StreamId = std::uint16_t;
using PayloadProtocol = std::uint32_t;  ///< SCTP's PPID, in host order.

/// One message, on its way out or in. The payload is a view that ends with the call that carries it.
struct SctpMessage {
  StreamId stream = 0;
  PayloadProtocol ppid = 0;
  SctpOrder order = SctpOrder::ordered;  ///< Only for what is sent.
  ByteView payload;
};

/// A part of a message that has gone to the network for the first time.
struct SctpTransmission {
  StreamId stream;
  PayloadProtocol ppid;
  Bytes payload;
};

/// What an association tells its owner.
///
/// `on_sctp_packet`, `on_sctp_probe` and `on_sctp_transmitted` come from inside any call of the
/// association's, and from the stack's timers; their receiver may not call the association. All others come
/// from inside `process` alone; there the association may be called, but not destroyed.
class SctpListener {
 public:
  virtual ~SctpListener() = default;
  /// One whole packet for the peer, its checksum filled in. The view ends with the call.
  virtual void on_sctp_packet(ByteView packet) = 0;
  /// The same for a packet that tries whether its size passes: it must be lost rather than cut up on its way.
  virtual void on_sctp_probe(ByteView packet) = 0;
  /// Payload left for the network for the first time; resent payload is not told again.
  virtual void on_sctp_transmitted(const SctpTransmission& sent) = 0;

  virtual void on_sctp_established() = 0;
  virtual void on_sctp_message(const SctpMessage& message) = 0;
  /// There is room again after `send` had said `would_block`.
  virtual void on_sctp_writable() = 0;
  /// The peer has reset its outgoing half of this stream (RFC 6525 §5.2.2): nothing more comes on it.
  virtual void on_sctp_incoming_reset(StreamId stream) = 0;
  /// The peer has taken, or refused (`denied`), our reset of this stream.
  enum class ResetResult : std::uint8_t { performed, denied };
  virtual void on_sctp_outgoing_reset(StreamId stream, ResetResult result) = 0;
  /// Once, nothing comes after it. `closed` after an orderly shutdown, `link_lost` when the peer aborted or
  /// no longer answers, `protocol_violation` or `limit_exceeded` when this side had to abort because of what
  /// the peer sent.
  virtual void on_sctp_ended(const Error& reason) = 0;
};

/// How one association behaves. The figures were measured; see `limits` for where they come from.
struct SctpOptions {
  std::uint16_t local_port = 5000;  ///< The port that everyone's SDP names (RFC 8841 §5.1).
  std::uint16_t remote_port = 5000;
  Bytes path_mtu = limits::kSctpPathMtu;     ///< The largest packet that passes for sure.
  std::vector<Bytes> path_mtu_candidates{};  ///< Larger ones that are worth trying, ascending (`PathMtu`).
  Bytes send_buffer = limits::kSctpBuffer;
  Bytes receive_buffer = limits::kSctpBuffer;
  Bytes max_receive_message = limits::kMaxReceiveMessage;  ///< A longer one ends the association.
};

struct SctpStats {
  std::optional<Duration> round_trip;  ///< Smoothed; absent before it was measured.
  Bytes congestion_window;
  Bytes path_mtu;  ///< The largest packet at this time.
  Bytes unsent;    ///< Accepted by `send`, not yet on its way.
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bad_checksums = 0;  ///< Packets dropped for it.
  Bytes retransmitted;              ///< Payload that went to the network again.
};

enum class SctpSend : std::uint8_t {
  accepted,     ///< Copied; it will be sent or the association ends.
  would_block,  ///< No room: `on_sctp_writable` will tell. Nothing was taken.
  refused,      ///< Not established, ended, or larger than the send buffer.
};

/// One SCTP association (RFC 9260) without a socket, behind which the stack can be exchanged.
///
/// Owned by one transport, used on one shard. Packets go in through `receive`, which only takes them;
/// `process` then delivers what they brought. Bounded by its two buffers: past the receive buffer the peer is
/// stopped by its window.
class SctpAssociation {
 public:
  enum class Reading : std::uint8_t { flowing, paused };

  virtual ~SctpAssociation() = default;  ///< Ends at once; sends an ABORT when it was not over yet.

  /// Both sides start (RFC 8841 §9.3: simultaneous open). Errors: what the stack cannot do.
  virtual Status start() = 0;
  /// One packet from the peer; a bad checksum or a malformed one is counted and ignored.
  virtual void receive(ByteView packet) = 0;
  /// Delivers all that has come; the owner calls it after each batch of `receive` and after the stack's
  /// timers.
  virtual void process(TimePoint now) = 0;

  [[nodiscard]] virtual SctpSend send(const SctpMessage& message) = 0;
  /// Resets our outgoing half of a stream once everything sent on it has arrived; the result comes as
  /// `on_sctp_outgoing_reset`. Errors: `busy` when it must be asked again later, `closed`.
  virtual Status reset_stream(StreamId stream) = 0;
  /// While paused, messages stay in the receive buffer and the window closes.
  virtual void set_reading(Reading reading) = 0;
  /// Sends an ABORT and is over; the listener hears nothing.
  virtual void abort() = 0;

  [[nodiscard]] virtual SctpStats stats() const = 0;
};

}  // namespace sluice::webrtc
