#include "transport/websocket/link.hpp"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "core/limits.hpp"

namespace sluice::websocket {
namespace {

using beast::websocket::close_code;

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? '[' + address + ']' : address) + ':' + std::to_string(endpoint.port());
}

/// What a close frame from the other side means to us (RFC 6455 §7.4.1, and the registry's 1013).
Errc code_of(beast::websocket::close_code code) {
  switch (code) {
    case close_code::policy_error:
    case close_code::try_again_later:
      return Errc::refused;
    case close_code::too_big:
      return Errc::limit_exceeded;
    case close_code::protocol_error:
    case close_code::unknown_data:
    case close_code::bad_payload:
      return Errc::protocol_violation;
    default:
      return Errc::closed;
  }
}

class WebSocketLink final : public transport::Link {
 public:
  explicit WebSocketLink(std::shared_ptr<LinkCore> core) : core_(std::move(core)) {}
  WebSocketLink(const WebSocketLink&) = delete;
  WebSocketLink& operator=(const WebSocketLink&) = delete;
  ~WebSocketLink() override { core_->abandon(); }

  void listen(transport::LinkListener& listener) override { core_->listen(listener); }
  Status send(ByteView message) override { return core_->send(message); }
  [[nodiscard]] Bytes buffered_amount() const override { return core_->buffered_amount(); }
  void set_buffered_amount_low_threshold(Bytes threshold) override {
    core_->set_buffered_amount_low_threshold(threshold);
  }
  [[nodiscard]] Bytes max_message_size() const override { return core_->max_message_size(); }
  void close() override { core_->close({}); }
  [[nodiscard]] transport::LinkStats stats() const override { return core_->stats(); }
  [[nodiscard]] transport::Path path() const override { return core_->path(); }

 private:
  std::shared_ptr<LinkCore> core_;
};

}  // namespace

std::unique_ptr<transport::Link> make_link(std::shared_ptr<LinkCore> core) {
  return std::make_unique<WebSocketLink>(std::move(core));
}

void prepare(WebSocketStream& stream, const LinkOptions& options, Duration handshake_timeout) {
  stream.next_layer().tcp().expires_never();  // from here on the WebSocket's own timer counts
  stream.set_option(beast::websocket::stream_base::timeout{.handshake_timeout = handshake_timeout,
                                                           .idle_timeout = options.idle_timeout,
                                                           .keep_alive_pings = true});
  stream.read_message_max(options.max_message_size.count());
  stream.auto_fragment(false);
}

LinkCore::LinkCore(WebSocketStream stream, LinkOptions options, std::shared_ptr<void> token)
    : stream_(std::move(stream)),
      options_(options),
      token_(std::move(token)),
      close_timer_(stream_.get_executor()) {
  stream_.text(options_.kind == MessageKind::text);
  error_code ignored;
  auto& socket = stream_.next_layer().tcp().socket();
  path_.kind = transport::Path::Kind::server;
  if (const auto local = socket.local_endpoint(ignored); !ignored) path_.local = text_of(local);
  if (const auto remote = socket.remote_endpoint(ignored); !ignored) path_.remote = text_of(remote);
}

void LinkCore::listen(transport::LinkListener& listener) {
  listener_ = &listener;
  if (state_ == State::closed) return tell_closed();
  if (!std::exchange(reading_, true)) read();
}

Status LinkCore::send(ByteView message) {
  if (state_ == State::closed) {
    return fail(ended_->code == Errc::closed ? Errc::closed : Errc::link_lost, ended_->message);
  }
  if (state_ == State::closing) return fail(Errc::closed, "The link is being closed.");
  if (size_of(message) > options_.max_message_size) {
    return fail(Errc::limit_exceeded, "A message is larger than the " +
                                          std::to_string(options_.max_message_size.count()) +
                                          " bytes of this link.");
  }
  if (buffered_ + size_of(message) > options_.hard_buffer || queue_.size() >= limits::kLinkHardMessages) {
    return fail(Errc::limit_exceeded, "The other side does not read: too much waits for it already.");
  }
  queue_.push_back(to_buffer(message));
  buffered_ += size_of(message);
  if (!writing_) write();
  return {};
}

void LinkCore::close(CloseWord word) {
  if (state_ != State::open) return;
  state_ = State::closing;
  word_ = std::move(word);
  close_timer_.expires_after(options_.close_timeout);
  close_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->finish(self->word_.reason);
  });
  if (!writing_) send_close_frame();
}

void LinkCore::cut(Error reason) {
  if (state_ != State::closed) finish(std::move(reason));
}

void LinkCore::abandon() {
  listener_ = nullptr;
  if (state_ != State::closed) finish({.code = Errc::closed, .message = "The link was given up."});
}

void LinkCore::read() {
  stream_.async_read(incoming_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
}

void LinkCore::on_read(error_code error) {
  if (state_ == State::closed) return;
  if (error) return finish(state_ == State::closing ? word_.reason : reason_of(error));
  if (state_ == State::closing) {  // whoever closes has stopped listening
    incoming_.consume(incoming_.size());
    return read();
  }
  if (stream_.got_text() != (options_.kind == MessageKind::text)) {
    close({.code = close_code::unknown_data,
           .text = "wrong kind of message",
           .reason = {.code = Errc::protocol_violation,
                      .message = options_.kind == MessageKind::text
                                     ? "The other side sent binary where text belongs."
                                     : "The other side sent text where binary belongs."}});
    return read();
  }
  const auto data = incoming_.data();
  const ByteView message{static_cast<const std::byte*>(data.data()), data.size()};
  stats_.received += size_of(message);
  ++stats_.messages_received;
  listener_->on_message(message);
  incoming_.consume(incoming_.size());
  if (incoming_.capacity() > limits::kKeptReadBuffer.count()) incoming_.shrink_to_fit();
  if (state_ != State::closed) read();
}

void LinkCore::write() {
  writing_ = true;
  stream_.async_write(
      asio::buffer(queue_.front()),
      [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void LinkCore::on_written(error_code error) {
  writing_ = false;
  if (state_ == State::closed) return queue_.clear();
  if (error) return finish(state_ == State::closing ? word_.reason : reason_of(error));
  const Bytes size = size_of(queue_.front());
  const bool was_above = buffered_ > low_threshold_;
  queue_.pop_front();
  buffered_ -= size;
  stats_.sent += size;
  ++stats_.messages_sent;
  if (!queue_.empty()) {
    write();
  } else if (state_ == State::closing) {
    send_close_frame();
  }
  if (state_ == State::open && was_above && buffered_ <= low_threshold_ && listener_ != nullptr) {
    listener_->on_buffered_amount_low();
  }
}

void LinkCore::send_close_frame() {
  if (!std::exchange(reading_, true)) read();  // the other side's close frame must be read by somebody
  stream_.async_close({word_.code, word_.text}, [self = shared_from_this()](error_code) {
    if (self->state_ != State::closed) self->finish(self->word_.reason);
  });
}

void LinkCore::finish(Error reason) {
  state_ = State::closed;
  ended_ = std::move(reason);
  close_timer_.cancel();
  error_code ignored;
  auto& socket = stream_.next_layer().tcp().socket();
  // What the kernel still holds for a side that does not read would stay there for minutes.
  if (writing_) socket.set_option(asio::socket_base::linger{true, 0}, ignored);
  socket.close(ignored);
  if (!writing_) queue_.clear();
  buffered_ = {};
  token_.reset();
  if (listener_ != nullptr) tell_closed();
}

void LinkCore::tell_closed() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (auto* listener = std::exchange(self->listener_, nullptr)) listener->on_closed(*self->ended_);
  });
}

Error LinkCore::reason_of(error_code error) const {
  using WebSocketError = beast::websocket::error;
  if (error == WebSocketError::closed) {
    const auto& word = stream_.reason();
    std::string message = "The other side closed the connection";
    if (word.code != close_code::none) message += " (" + std::to_string(word.code) + ")";
    if (!word.reason.empty()) message += ": " + std::string{word.reason.data(), word.reason.size()};
    return {.code = code_of(static_cast<close_code>(word.code)), .message = std::move(message)};
  }
  if (error == beast::error::timeout)
    return {.code = Errc::link_lost, .message = "The other side fell silent."};
  if (error == WebSocketError::message_too_big || error == WebSocketError::buffer_overflow) {
    return {.code = Errc::limit_exceeded, .message = "The other side sent a message beyond the limit."};
  }
  if (error == beast::websocket::condition::protocol_violation) {
    return {.code = Errc::protocol_violation,
            .message = "The other side broke the WebSocket protocol: " + error.message()};
  }
  return {.code = Errc::link_lost, .message = "The connection broke: " + error.message()};
}

}  // namespace sluice::websocket
