#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "flow/credit_window.hpp"
#include "peer/tunnel/held_bytes.hpp"
#include "peer/tunnel/reassembler.hpp"
#include "peer/tunnel/socket.hpp"
#include "peer/tunnel/totals.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

/// Which end of a tunnel: connections come in at the client, targets are dialled by the host.
enum class Role : std::uint8_t { client, host };

/// How a stream came to its end.
struct StreamEnd {
  enum class By : std::uint8_t {
    both,    ///< Each direction ended by itself (FIN).
    local,   ///< This side closed it.
    remote,  ///< The other side did.
    session  ///< The session ended.
  };
  By by = By::both;
  wire::CloseReason reason = wire::CloseReason::normal;
  std::string text;  ///< What the closing side had to say; comes from the peer when `by` is remote.
};

/// How one stream goes.
struct StreamStats {
  Bytes sent;
  Bytes received;
  Bytes held;
  Bytes send_credit;
  Bytes receive_window;
};

/// One tunnelled socket, both directions, both roles: what its packets and its TCP socket mean to each other.
///
/// Sans-I/O, one shard, owned by its session. Two halves that never wait on each other:
/// channel -> socket: the reassembler orders; what is in order goes into the socket at once; what the socket
/// does not take is held, and becomes credit again only when it was written. socket -> channel: nothing is
/// held at all; when the link has room and the peer has given credit, `pull` reads straight into the message.
/// Numbered packets that are due are kept as facts ("a FIN is owed") until `next_packet` makes them, so that
/// there is no queue, updates of a window coalesce, and a CLOSE makes what it overtakes unnecessary. Bound:
/// what is held is within the receive window. docs/tunnel.md draws the states.
class Stream {
 public:
  struct Options {
    wire::SocketId id;
    Role role = Role::client;
    Bytes first_send_window;  ///< What the peer's HELLO says.
  };
  /// `totals` outlives the stream. On the host it waits for CONNECT.
  Stream(Options options, flow::ReceiveWindow window, StreamTotals& totals);
  /// On the client: `socket` is there already, and CONNECT is owed.
  Stream(Options options, flow::ReceiveWindow window, StreamTotals& totals, std::unique_ptr<Socket> socket,
         std::string target);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();  ///< Ends a socket that is still open: in good order when both its directions are over, else by
              ///< reset.

  // --- channel -> socket ---

  /// A numbered packet for this socket, with the message that it was decoded from. Errors:
  /// `protocol_violation`, which ends the session.
  [[nodiscard]] Status receive(const wire::Packet& packet, ByteView message, TimePoint now);
  [[nodiscard]] Status receive_window(std::uint64_t total, TimePoint now);
  /// The socket takes bytes again.
  void on_writable();

  // --- opening, on the host ---

  /// The target that CONNECT asked for, once, when it came in order: the session answers with `connected` or
  /// `close`.
  [[nodiscard]] std::optional<std::string> take_request();
  void connected(std::unique_ptr<Socket> socket);

  // --- socket -> channel ---

  /// The socket has something to read, or has ended.
  void on_readable() { readable_ = true; }
  /// Whether `pull` may find something.
  [[nodiscard]] bool can_send() const;
  [[nodiscard]] Bytes credit() const { return send_window_.available(); }
  /// Reads from the socket what becomes the next DATA's payload; nothing when there is none. Requires
  /// `can_send()`, and no more room than `credit()`.
  [[nodiscard]] std::size_t pull(ByteSpan into, TimePoint now);
  /// The number of the packet that goes out now.
  [[nodiscard]] wire::Sequence take_sequence();

  /// Whether `next_packet` has something. DATA goes after it.
  [[nodiscard]] bool owes_packet() const;
  /// The next owed packet but for DATA; its texts live until the stream changes.
  [[nodiscard]] wire::Packet next_packet(TimePoint now, std::optional<Duration> round_trip);

  // --- the end ---

  /// This side ends both directions: the socket is reset at once, and CLOSE is owed where the peer knows the
  /// stream.
  void close(wire::CloseReason reason, std::string text);
  /// The link has ended in good order. A stream that is over but for what its socket has not taken yet goes
  /// on until it has; false for any other.
  [[nodiscard]] bool outlive_link();
  /// Nothing is left to do or to send: the session forgets the stream.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] const StreamEnd& end() const { return end_; }

  // --- what it is waiting for ---

  [[nodiscard]] wire::SocketId id() const { return options_.id; }
  [[nodiscard]] bool awaits_connect() const { return phase_ == Phase::unopened; }
  [[nodiscard]] bool dialing() const { return phase_ == Phase::opening && options_.role == Role::host; }
  [[nodiscard]] bool awaits_accept() const {
    return phase_ == Phase::opening && options_.role == Role::client;
  }
  /// Nothing more comes from the peer, and the socket has not taken yet what did.
  [[nodiscard]] bool flushing() const { return phase_ == Phase::closing || (link_gone_ && !shut_); }
  [[nodiscard]] StreamStats stats() const;
  /// For how long all credit was spent, the time that still lasts included.
  [[nodiscard]] Duration without_credit(TimePoint now) const { return send_window_.stats(now).time_out; }

 private:
  enum class Phase : std::uint8_t {
    unopened,  ///< Host: packets are here, their CONNECT is not.
    opening,   ///< Host: dialling. Client: no ACCEPT yet.
    open,
    closing,  ///< CLOSE came; what came before it is still being written.
    ended,    ///< At the most a CLOSE is owed.
  };
  struct Owed {
    bool connect = false;
    bool accept = false;
    bool window = false;
    bool fin = false;
    bool close = false;
  };

  Status deliver(const wire::Packet& packet);
  Status deliver_connect(std::string_view target);
  Status deliver_accept();
  Status deliver_data(ByteView payload);
  Status deliver_fin();
  void deliver_close(const wire::Close& packet);
  std::size_t write(ByteView bytes);
  void consumed(std::size_t bytes);
  void settle_receiving();
  void socket_broke(Transfer::Status how);
  void end_socket(wire::CloseReason reason);
  void forget_received();
  std::unexpected<Error> violation(std::string_view what) const;

  Options options_;
  StreamTotals& totals_;
  std::unique_ptr<Socket> socket_;
  Phase phase_;
  Owed owed_;
  bool readable_ = true;   // worth a try: sockets report only after a try
  bool sent_fin_ = false;  // or owes it: nothing more is read
  bool got_fin_ = false;
  bool shut_ = false;  // the socket's sending side was shut down: all before FIN is written
  bool connect_sent_ = false;
  bool link_gone_ = false;
  std::string text_;  // CONNECT's target
  Reassembler reassembler_;
  flow::ReceiveWindow receive_window_;
  HeldBytes held_;
  flow::SendWindow send_window_;
  wire::Sequence next_sequence_;
  StreamEnd end_;
};

}  // namespace sluice::tunnel
