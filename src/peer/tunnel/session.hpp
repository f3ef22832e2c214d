#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/tunnel_limits.hpp"
#include "flow/fair_queue.hpp"
#include "flow/gate.hpp"
#include "flow/pool.hpp"
#include "flow/session_budget.hpp"
#include "peer/tunnel/closed_ids.hpp"
#include "peer/tunnel/socket.hpp"
#include "peer/tunnel/stream.hpp"
#include "peer/tunnel/targets.hpp"
#include "peer/tunnel/totals.hpp"
#include "transport/link.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

struct SessionOptions {
  std::size_t max_streams = limits::kMaxStreams;
  flow::ReceiveWindowOptions window{};
  flow::SessionBudgetOptions budget{};
  flow::GateOptions gate{};
  Bytes payload = limits::kDefaultPayload;  ///< Most of one DATA that this side sends; at most `kMaxPayload`.
  Duration hello_timeout = limits::kHelloTimeout;
  Duration open_timeout = limits::kOpenTimeout;
  Duration close_flush = limits::kCloseFlush;
  /// Descriptors that the sockets of all sessions of the process share, one for each stream; null: no limit.
  std::shared_ptr<flow::Pool> descriptors{};
};

/// What a session asks of the shell around it. Called from inside the session's own calls: an implementation
/// takes note and calls back later, never from within.
class SessionShell {
 public:
  virtual ~SessionShell() = default;
  /// Host only: connect to the target and say `Session::dialed` or `Session::dial_failed`, unless told to
  /// forget it. `target` lives as long as the session's targets.
  virtual void dial(wire::SocketId id, const Target& target) = 0;
  virtual void forget_dial(wire::SocketId id) = 0;
  /// A stream is over; for logs and for a person who wants to know why.
  virtual void on_stream_end(wire::SocketId id, const StreamEnd& end) = 0;
  /// Host: a socket got no stream; counted already, for the log.
  virtual void on_refused(wire::CloseReason, const std::string&) {}
  /// Something was dropped; counted already, for the log.
  virtual void on_ignored(wire::SocketId id, Ignored why) = 0;
};

struct SessionStats {
  StreamTotals totals;
  std::size_t streams = 0;  ///< Open now.
  std::size_t peak_streams = 0;
  std::size_t refused = 0;  ///< Sockets that got no stream.
  flow::GateStats gate;     ///< Times and time that the link held this side back.
  /// The same for the other side's sockets: time without credit of all streams together, those that are over
  /// included.
  Duration without_credit{};
  flow::SessionBudgetStats windows;
  flow::FairQueueStats turns;
  Bytes link_buffered;
};

/// One tunnel over one link, as one of its ends sees it: HELLO, routing by socket id, limits, who sends next,
/// the end.
///
/// Sans-I/O, one shard; `link` outlives it. Every input ends by sending what may be sent, as much as one turn
/// allows; when `wants_turn()` then says so, the shell calls `go_on` after its other work. Sending pulls: the
/// link has room (gate), owed packets first, then the stream whose turn it is (fair queue) is asked for as
/// much as turn, credit and payload size allow, straight into the message. Receiving never waits for sending,
/// nor one stream for another. Ended by `drain`, an error or the link, it has reset its sockets and does
/// nothing more.
class Session {
 public:
  Session(Role role, transport::Link& link, SessionShell& shell, SessionOptions options = {});
  /// On the host.
  Session(transport::Link& link, SessionShell& shell, Targets targets, SessionOptions options = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// The link is open: call first. The client says HELLO.
  void start(TimePoint now);

  // --- from the link ---
  void on_message(ByteView message, TimePoint now);
  void on_link_low(TimePoint now) { send(now); }
  /// The link is gone, or must be given up. After `closed` sockets still get what came for them in whole,
  /// within `close_flush`; everything else ends at once.
  void on_link_closed(const Error& reason, TimePoint now);

  // --- from sockets ---
  void on_readable(wire::SocketId id, TimePoint now);
  void on_writable(wire::SocketId id, TimePoint now);

  // --- client: a connection came in ---

  /// An id for a socket with this hash that neither a live nor a recent socket has.
  [[nodiscard]] wire::SocketId choose_id(std::uint32_t hash) const;
  /// Tunnels a socket. Errors: `limit_exceeded`, `closed` once it drains, or why the session ended; the
  /// socket is reset then. Requires an id of `choose_id`, and a target that `wire::check_target` takes.
  /// Before HELLO: `busy`.
  [[nodiscard]] Status open(wire::SocketId id, std::unique_ptr<Socket> socket, std::string target,
                            TimePoint now);

  // --- host: what became of a dial ---
  void dialed(wire::SocketId id, std::unique_ptr<Socket> socket, TimePoint now);
  /// The client is told the reason in the words of `targets.hpp`'s `told_of`, and nothing that the system or
  /// a name server said: what stands behind a target's name is the host's own.
  void dial_failed(wire::SocketId id, wire::CloseReason reason, TimePoint now);

  // --- time ---
  void expire(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  /// The last turn ended with work left.
  [[nodiscard]] bool wants_turn() const { return wants_turn_; }
  void go_on(TimePoint now) { send(now); }

  // --- the end ---

  /// Takes no more streams, lets those that are open finish until `until`, closes the rest (`shutting_down`),
  /// then ends with `closed`. More calls may only bring the end nearer.
  void drain(TimePoint until, TimePoint now);
  /// Why it ended; null while it lives. `closed` after a drain.
  [[nodiscard]] const Error* ended() const { return ended_ ? &*ended_ : nullptr; }

  /// Both HELLOs are through.
  [[nodiscard]] bool ready() const { return peer_.has_value(); }
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }
  [[nodiscard]] SessionStats stats(TimePoint now) const;

 private:
  /// A stream with its places in the session's lists.
  struct Entry {
    template <typename... Args>
    explicit Entry(Args&&... args) : stream(std::forward<Args>(args)...) {}
    Stream stream;
    std::list<Entry*>::iterator place{};  // in quiet_ or owing_, by `owing`
    bool owing = false;
    bool dialing = false;               // the shell has it
    std::string target;                 // meanwhile: as the client named it
    std::optional<TimePoint> deadline;  // as it stands in deadlines_
  };
  using Entries = std::unordered_map<wire::SocketId, Entry>;
  /// A socket that has no stream, and whose peer has not been told yet.
  struct Refusal {
    wire::SocketId id;
    wire::CloseReason reason;
    std::string text;
  };

  void receive(const wire::Packet& packet, ByteView message, TimePoint now);
  void receive_hello(const wire::Hello& hello, TimePoint now);
  void receive_window(const wire::Window& window, TimePoint now);
  void receive_numbered(const wire::Packet& packet, ByteView message, TimePoint now);
  Entry* admit(const wire::Packet& packet, TimePoint now);
  void refuse(wire::SocketId id, wire::CloseReason reason, std::string text, TimePoint now);
  void answer_request(Entry& entry, const std::string& target);
  Entry& place(Entry& entry);
  [[nodiscard]] Stream::Options options_for(wire::SocketId id) const;
  [[nodiscard]] Result<flow::ReceiveWindow> take_place(TimePoint now);
  [[nodiscard]] Status charge_early_packets();
  void settle(Entry& entry, TimePoint now);
  void schedule(Entry& entry, std::optional<TimePoint> deadline);
  void remove(Entry& entry, const StreamEnd& end, TimePoint now);
  void ignore(wire::SocketId id, Ignored why);

  void send(TimePoint now);
  void send_turn(TimePoint now);
  [[nodiscard]] bool has_output() const;
  [[nodiscard]] bool pass_gate(TimePoint now);
  Bytes send_next(TimePoint now);
  Bytes send_owed(TimePoint now);
  Bytes send_data(TimePoint now);
  Bytes send_packet(const wire::Packet& packet, TimePoint now);
  Bytes send_message(ByteView message, TimePoint now);
  [[nodiscard]] std::optional<Duration> round_trip(TimePoint now);

  void finish_drain(TimePoint now);
  void outlive_link(const Error& reason, TimePoint now);
  void end(Error why, TimePoint now);

  Role role_;
  transport::Link& link_;
  SessionShell& shell_;
  Targets targets_;
  SessionOptions options_;
  StreamTotals totals_;
  flow::SessionBudget budget_;
  flow::Pool::Share descriptors_;  // one for each stream
  Entries streams_;
  ClosedIds closed_;
  std::set<std::pair<TimePoint, wire::SocketId>> deadlines_;  // at most one for each stream
  std::size_t peak_streams_ = 0;
  std::size_t refused_ = 0;
  Duration without_credit_{};  // of streams that are over

  std::optional<wire::Hello> peer_;
  bool owes_hello_ = false;
  TimePoint hello_deadline_;
  Bytes payload_;  // most of one DATA that is sent

  flow::Gate gate_;
  std::optional<flow::Ticket> ticket_;  // this session's place at the gate while it has something to send
  bool wants_turn_ = false;
  std::list<Entry*> quiet_;  // a stream's node moves between both lists: no allocation
  std::list<Entry*> owing_;  // those that owe a packet, in order
  std::deque<Refusal> refusals_;
  flow::FairQueue<wire::SocketId> fair_;
  ByteBuffer data_;    // the DATA that is being made
  ByteBuffer packet_;  // any other
  std::optional<Duration> round_trip_;
  TimePoint round_trip_at_;  // when the link was asked for it

  std::optional<TimePoint> drain_until_;
  std::optional<Error> link_end_;  // what it will have ended with, when the last socket has taken its bytes
  std::optional<Error> ended_;
};

}  // namespace sluice::tunnel
