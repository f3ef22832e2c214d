#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/webrtc/certificate.hpp"
#include "transport/webrtc/data_channel.hpp"
#include "transport/webrtc/dtls.hpp"
#include "transport/webrtc/sctp.hpp"

namespace sluice::webrtc {

/// What a data transport tells its owner.
///
/// `on_datagram` and `on_probe_datagram` come from inside any call, and from the timers of other transports
/// in the process; they may only take the datagram. `on_work` comes from inside calls of a channel's user.
/// The others come from inside `process` alone: there the transport may be called, but not destroyed.
class DataTransportListener {
 public:
  virtual ~DataTransportListener() = default;
  /// One datagram for the peer: append it to the batch, flush when full or when the turn is over. The view
  /// ends with the call.
  virtual void on_datagram(ByteView datagram) = 0;
  /// The same for a datagram that must be lost rather than cut up on its way.
  virtual void on_probe_datagram(ByteView datagram) = 0;
  /// Something was done outside of the owner's own calls (a channel's `send`, `listen`, `close`): call
  /// `process` and then flush, in a turn of its own. Told once until the next `process`.
  virtual void on_work() = 0;
  /// The DTLS handshake is complete and the peer's fingerprint is the expected one.
  virtual void on_secure() = 0;
  /// A channel is open, ours or one that the peer opened. The receiver owns it.
  virtual void on_channel(std::unique_ptr<DataChannel> channel) = 0;
  /// All is over, the listeners of open channels have been told. Once, nothing comes after it. Reasons as in
  /// `DtlsListener::on_dtls_ended` and `SctpListener::on_sctp_ended`.
  virtual void on_ended(const Error& reason) = 0;
};

/// DTLS, SCTP and the data channels of one peer connection, joined: datagrams on one side, channels on the
/// other.
///
/// Sans-I/O, one shard (all transports of a process share it, since usrsctp is one per process). Its owner
/// feeds it:
///   - each datagram whose first byte is 20..63 (RFC 7983) to `receive`; after a batch of them `process`,
///   then flush;
///   - `handle_timers` every `limits::kSctpTick` from `start` until the end, then `process`, then flush;
///   - `process`, then flush, when `on_work` asks for it.
class DataTransport {
 public:
  struct Start {
    DtlsRole role;
    Fingerprint remote_fingerprint;
    Bytes path_mtu = limits::kSctpPathMtu;     ///< The largest SCTP packet that passes for sure.
    std::vector<Bytes> path_mtu_candidates{};  ///< Larger ones that are worth trying.
    std::uint16_t remote_sctp_port = 5000;     ///< SDP's `a=sctp-port`.
    Bytes remote_max_message_size =
        limits::kDefaultMaxMessageSize;  ///< SDP's `a=max-message-size`; 0 is no limit.
  };

  /// All arguments outlive the transport.
  DataTransport(const Certificate& certificate, DataTransportListener& listener,
                const SctpOptions& options = {});
  DataTransport(const DataTransport&) = delete;
  DataTransport& operator=(const DataTransport&) = delete;
  ~DataTransport();  ///< Silent: nothing goes out and nobody is told. Channels that outlive it are ended.

  /// Asks for a channel; it is opened as soon as the association is up, then comes as `on_channel`. Before or
  /// after `start`. Errors: `limit_exceeded` (`limits::kMaxChannels`, label or protocol over 64 KiB),
  /// `closed`.
  Status create_channel(ChannelOptions options);

  /// Begins the handshake; a path to the peer exists. Datagrams that came before are replayed. Once only.
  void start(const Start& start, TimePoint now);

  void receive(ByteView datagram);
  void process(TimePoint now);
  void handle_timers(TimePoint now);

  /// Ends everything at once: an ABORT and a close_notify go out through `on_datagram` before it returns.
  /// Nobody is told. For an end in good order close the channels first.
  void close();

  /// Ends everything because of what the owner knows (the path is gone): the next `process` tells the
  /// channels and `on_ended` with this reason.
  void abandon(const Error& reason);

  [[nodiscard]] DtlsState dtls_state() const;
  [[nodiscard]] DtlsStats dtls_stats() const;
  [[nodiscard]] SctpStats sctp_stats() const;  ///< All zero before the association started.
  [[nodiscard]] DataChannelsStats channels_stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::webrtc
