#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "transport/webrtc/certificate.hpp"

namespace sluice::webrtc {

/// SDP's `a=setup`: `active` is the client, `passive` the server (RFC 8842 §5.2).
enum class DtlsRole : std::uint8_t { client, server };

enum class DtlsState : std::uint8_t {
  waiting,     ///< Not started; datagrams that come are kept, up to `limits::kDtlsEarlyDatagrams`.
  connecting,  ///< The handshake goes on.
  connected,   ///< The peer proved the expected fingerprint; records flow.
  closed,      ///< Either side ended it with close_notify.
  failed,      ///< It broke: wrong fingerprint, alert, too many timeouts.
};

/// What an engine tells its owner, from inside `start`, `receive`, `handle_timeout`, `send` and `close`.
///
/// The owner may call `send` from `on_dtls_connected` and `on_dtls_record`, and nothing else of the engine's
/// from any of these.
class DtlsListener {
 public:
  virtual ~DtlsListener() = default;
  /// One whole datagram for the peer, at most `limits::kDtlsMtu` long unless `send` was given more.
  /// The view ends with the call.
  virtual void on_dtls_datagram(ByteView datagram) = 0;
  virtual void on_dtls_connected() = 0;
  /// The plaintext of one record. The view ends with the call.
  virtual void on_dtls_record(ByteView plaintext) = 0;
  /// Once, nothing comes after it. `closed` after the peer's close_notify, `wrong_code` when its certificate
  /// is not the expected one, `timed_out` when the handshake got no answer, `protocol_violation` for what
  /// else fails.
  virtual void on_dtls_ended(const Error& reason) = 0;
};

struct DtlsStats {
  std::uint64_t datagrams_in = 0;
  std::uint64_t datagrams_out = 0;
  std::uint64_t garbage = 0;  ///< Not DTLS by its first bytes: ignored.
  std::uint64_t undecipherable =
      0;  ///< Looked like a protected record, gave nothing: forged, replayed or too late.
  std::uint64_t early_kept = 0;     ///< Came before `start` and were replayed.
  std::uint64_t early_dropped = 0;  ///< Came before `start`, beyond the limit.
  std::uint64_t timeouts = 0;       ///< Flights of the handshake sent again because nothing came.
};

/// DTLS 1.2 (RFC 6347) between two peers that know each other's fingerprint (RFC 8827 §6.5), without a
/// socket.
///
/// Owned by one transport, used on one shard. Datagrams go in through `receive` and come out through the
/// listener, one call each. `send` and `receive` do not allocate once connected. No renegotiation, no media
/// (SRTP is offered, since pion insists on it, and never used), no session tickets. The retransmission timers
/// are the library's own and read the system clock; `now` only places them in time.
class DtlsEngine {
 public:
  struct Start {
    DtlsRole role;
    Fingerprint remote;  ///< The only certificate that is accepted, checked before any record is handed out.
  };

  /// Both arguments outlive the engine.
  DtlsEngine(const Certificate& certificate, DtlsListener& listener);
  DtlsEngine(const DtlsEngine&) = delete;
  DtlsEngine& operator=(const DtlsEngine&) = delete;
  ~DtlsEngine();  ///< Silent: sends nothing, tells nobody.

  /// Begins the handshake and replays what came early. Once only.
  void start(const Start& start);

  /// One datagram from the peer. What is not DTLS, and what does not decrypt, is counted and ignored.
  void receive(ByteView datagram);

  /// Encrypts one record and hands the datagram to the listener before it returns.
  /// Errors: `closed` unless connected, `limit_exceeded` beyond 16 KiB.
  Status send(ByteView plaintext);

  /// Tells the peer with close_notify; the listener hears nothing. Does nothing when ended already.
  void close();

  /// When `handle_timeout` is due, if at all.
  [[nodiscard]] std::optional<TimePoint> next_timeout(TimePoint now) const;
  /// Sends the last flight again when it is due; early or needless calls do nothing.
  void handle_timeout();

  [[nodiscard]] DtlsState state() const;
  [[nodiscard]] const DtlsStats& stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::webrtc
