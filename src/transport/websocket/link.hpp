#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "transport/link.hpp"
#include "transport/websocket/link_options.hpp"
#include "transport/websocket/stream.hpp"

/// For the room itself: links over WebSocket streams whose handshake is done.
namespace sluice::websocket {

/// Why this side closes a link: what stands in the close frame (RFC 6455 §7.4), and what our own listener
/// hears.
struct CloseWord {
  beast::websocket::close_code code = beast::websocket::close_code::normal;
  std::string text;
  Error reason = {.code = Errc::closed, .message = "The link was closed."};
};

/// Drives one WebSocket: a queue of messages out, reading from `listen` on, pings when it is quiet, a close
/// that is bounded in time.
///
/// One shard. Kept alive by its pending operations, each of which ends once the socket is closed; the `Link`
/// that its user holds and the server that counts it refer to it. Bounded by `hard_buffer` and
/// `limits::kLinkHardMessages`.
class LinkCore : public std::enable_shared_from_this<LinkCore> {
 public:
  /// `token` is let go when the connection has ended.
  LinkCore(WebSocketStream stream, LinkOptions options, std::shared_ptr<void> token);

  void listen(transport::LinkListener& listener);
  Status send(ByteView message);
  /// Ends it in good order: queue, close frame, the other side's close frame, or the time limit.
  void close(CloseWord word);
  /// Ends it at once. The listener, if there still is one, hears why.
  void cut(Error reason);
  /// Ends it at once, without a word to the listener.
  void abandon();

  [[nodiscard]] Bytes buffered_amount() const { return buffered_; }
  void set_buffered_amount_low_threshold(Bytes threshold) { low_threshold_ = threshold; }
  [[nodiscard]] Bytes max_message_size() const { return options_.max_message_size; }
  [[nodiscard]] transport::LinkStats stats() const { return stats_; }
  [[nodiscard]] transport::Path path() const { return path_; }

 private:
  enum class State : std::uint8_t { open, closing, closed };

  void read();
  void on_read(error_code error);
  void write();
  void on_written(error_code error);
  void send_close_frame();
  void finish(Error reason);
  void tell_closed();
  [[nodiscard]] Error reason_of(error_code error) const;

  WebSocketStream stream_;
  LinkOptions options_;
  std::shared_ptr<void> token_;
  transport::LinkListener* listener_ = nullptr;
  State state_ = State::open;
  bool reading_ = false;
  bool writing_ = false;
  std::deque<ByteBuffer> queue_;  ///< The first is being written while `writing_`.
  Bytes buffered_;
  Bytes low_threshold_;
  beast::flat_buffer incoming_;
  boost::asio::steady_timer close_timer_;
  CloseWord word_;  ///< Once closing.
  std::optional<Error> ended_;
  transport::LinkStats stats_;
  transport::Path path_;
};

/// The link that a user holds.
[[nodiscard]] std::unique_ptr<transport::Link> make_link(std::shared_ptr<LinkCore> core);

/// Timeouts and limits of a stream before its handshake.
void prepare(WebSocketStream& stream, const LinkOptions& options, Duration handshake_timeout);

}  // namespace sluice::websocket
