#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/steady_timer.hpp>

#include "core/hub_limits.hpp"
#include "transport/message_socket.hpp"
#include "transport/websocket/frame.hpp"
#include "transport/websocket/frame_pace.hpp"
#include "transport/websocket/masks.hpp"
#include "transport/websocket/native_stream.hpp"
#include "transport/websocket/socket_options.hpp"

/// For the room itself: WebSockets whose upgrade is done, many of them on one shard; either end of one.
namespace sluice::websocket {

/// What all connections of a shard read into, one after the other.
using ReadBuffer = std::array<std::byte, limits::kSocketReadBuffer.count()>;

/// One end of a WebSocket, as its reader's role says: whole messages in, encoded frames out, pings, a close
/// that is bounded in time.
///
/// One shard. Kept alive by its pending operations, each of which ends once the socket is closed. A control
/// frame goes between frames: it waits where one was begun. Of what it owes the other side there is one pong,
/// the newest (RFC 6455 §5.5.3), one ping and one close frame. No more than `limits::kFramesPerTurn` messages
/// and control frames are handled in one turn of the loop; what was read beyond them is held, and nothing
/// more is read before it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Setup {
    FrameReaderOptions reader;
    Duration ping;
    std::uint64_t missed_pings = limits::kMissedPings;
    Duration close_timeout;
    Duration linger;
    std::string remote_address;
    std::shared_ptr<Masks> masks{};  ///< A client's; null for a server.
    ByteBuffer held{};               ///< Read and not taken yet; at first what came behind the upgrade.
    std::shared_ptr<flow::Account> memory{};  ///< As `SocketOptions::memory`.
    std::shared_ptr<void> token{};            ///< Let go when the connection has ended.
  };
  Connection(NativeStream stream, std::shared_ptr<ReadBuffer> scratch, Setup setup);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void listen(transport::MessageSocketListener& listener);
  [[nodiscard]] std::size_t write(ByteView frames);
  void charge_to(std::shared_ptr<flow::Account> account);
  void set_ping_interval(Duration interval);
  void set_max_message(Bytes most) { reader_.set_max_message(most); }
  void probe();
  void pause_reading();
  void resume_reading();
  void close(transport::MessageSocket::Farewell farewell);
  /// At once, by a reset.
  void cut(Error reason);
  /// At once, without a word to the listener. One that is only waiting for the client to hang up does so.
  void abandon();

  [[nodiscard]] const transport::MessageSocketStats& stats() const { return stats_; }
  [[nodiscard]] std::string_view remote_address() const { return setup_.remote_address; }

 private:
  enum class State : std::uint8_t {
    open,
    closing,     ///< The close frame goes out, and the client's is waited for.
    hanging_up,  ///< The last close frame goes out, and then the client hangs up.
    closed,
  };

  void wait_readable();
  void wait_writable();
  void on_readable();
  void on_writable();
  /// Returns how much at the end of the input was left: reading has stopped, or others have their turn.
  [[nodiscard]] std::size_t take(ByteSpan input);
  void go_on_reading();
  /// Nothing more is taken from the other side for now.
  [[nodiscard]] bool stopped() const { return state_ == State::open && (paused_ || throttled_); }
  void keep_pace();
  void take_held();
  void handle(const FrameEvent& event);
  void on_close_frame(const FrameEvent& event);
  void refuse(const FrameError& error);
  void settle_memory();

  void start_timer(Duration after);
  void on_timer();

  [[nodiscard]] std::string other_side() const;
  [[nodiscard]] Error lost() const;
  [[nodiscard]] ByteBuffer control_frame(Opcode opcode, ByteView payload) const;
  [[nodiscard]] bool owes() const;
  [[nodiscard]] bool next_owed();
  /// Sends what is owed, if no frame is begun. False: the socket takes no more.
  bool pay();
  void pay_or_wait();
  void note_begun(ByteView frames, std::size_t taken);
  void note_blocked(NativeStream::State state);

  void say_goodbye(std::uint16_t code, std::string_view text);
  void hang_up(Error reason);
  enum class How : std::uint8_t { quietly, by_reset };
  void finish(Error reason, How how);
  void tell_closed(Error reason);

  NativeStream stream_;
  std::shared_ptr<ReadBuffer> scratch_;
  Setup setup_;
  FrameReader reader_;
  transport::MessageSocketListener* listener_ = nullptr;
  boost::asio::steady_timer timer_;  ///< Of the next ping; from the close on, of its end.
  State state_ = State::open;
  bool paused_ = false;
  bool throttled_ = false;         ///< It sent more control frames than it may.
  bool turn_pending_ = false;      ///< What is held is taken in a turn that is posted.
  bool reading_ = false;           ///< A wait for the socket is pending.
  bool writing_ = false;           ///< The same.
  bool read_wants_write_ = false;  ///< TLS has to answer before it reads on.
  bool wants_room_ = false;        ///< The owner is owed `on_writable`.
  bool sent_goodbye_ = false;
  std::uint64_t unanswered_ = 0;  ///< Pings since the client was last heard.
  std::uint64_t part_of_ = 0;  ///< The number of the message that was unfinished at the last ping; 0: none.
  std::uint64_t begun_ = 0;    ///< Bytes of a frame of the owner's that are still to come.
  ByteBuffer control_;         ///< A control frame on its way, from `control_sent_` on.
  std::size_t control_sent_ = 0;
  std::optional<ByteBuffer> pong_;
  bool ping_ = false;
  ByteBuffer goodbye_;
  std::optional<Error> ended_;
  Bytes charged_;
  std::size_t held_from_ = 0;  ///< In `Setup::held`.
  FramePace pace_;
  std::unique_ptr<boost::asio::steady_timer> throttle_;  ///< Made when it is needed: hardly ever.
  transport::MessageSocketStats stats_;
};

/// The socket that a user holds.
[[nodiscard]] std::unique_ptr<transport::MessageSocket> make_socket(std::shared_ptr<Connection> connection);

}  // namespace sluice::websocket
