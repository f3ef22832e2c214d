#include "transport/websocket/connection.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "core/ensure.hpp"

namespace sluice::websocket {
namespace {

using Io = NativeStream::Io;
using StreamState = NativeStream::State;

/// So much of a message costs its client nothing: memory that is short must not keep acknowledgements out.
constexpr Bytes kUnpaidPart{4'096};

Error closed() {
  return {.code = Errc::closed, .message = "The connection was closed."};
}

class WebSocket final : public transport::MessageSocket {
 public:
  explicit WebSocket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  ~WebSocket() override { connection_->abandon(); }

  void listen(transport::MessageSocketListener& listener) override { connection_->listen(listener); }
  [[nodiscard]] std::size_t write(ByteView frames) override { return connection_->write(frames); }
  void charge_to(std::shared_ptr<flow::Account> account) override {
    connection_->charge_to(std::move(account));
  }
  void set_ping_interval(Duration interval) override { connection_->set_ping_interval(interval); }
  void set_max_message(Bytes most) override { connection_->set_max_message(most); }
  void probe() override { connection_->probe(); }
  void pause_reading() override { connection_->pause_reading(); }
  void resume_reading() override { connection_->resume_reading(); }
  void close(Farewell farewell) override { connection_->close(std::move(farewell)); }
  void cut() override { connection_->cut({.code = Errc::cancelled, .message = "The connection was cut."}); }
  [[nodiscard]] transport::MessageSocketStats stats() const override { return connection_->stats(); }
  [[nodiscard]] std::string_view remote_address() const override { return connection_->remote_address(); }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<transport::MessageSocket> make_socket(std::shared_ptr<Connection> connection) {
  return std::make_unique<WebSocket>(std::move(connection));
}

Connection::Connection(NativeStream stream, std::shared_ptr<ReadBuffer> scratch, Setup setup)
    : stream_(std::move(stream)),
      scratch_(std::move(scratch)),
      setup_(std::move(setup)),
      reader_(setup_.reader),
      timer_(stream_.socket().get_executor()) {
  if (setup_.held.empty()) setup_.held = ByteBuffer{};  // what it was allocated for has been taken
}

Connection::~Connection() {
  if (setup_.memory) setup_.memory->release(charged_);
}

void Connection::listen(transport::MessageSocketListener& listener) {
  listener_ = &listener;
  if (ended_) return tell_closed(*ended_);
  start_timer(setup_.ping);
  go_on_reading();
}

void Connection::charge_to(std::shared_ptr<flow::Account> account) {
  account->charge(charged_);
  if (setup_.memory) setup_.memory->release(charged_);
  setup_.memory = std::move(account);
}

void Connection::set_ping_interval(Duration interval) {
  setup_.ping = interval;
  if (listener_ != nullptr && state_ == State::open) start_timer(interval);
}

void Connection::probe() {
  if (state_ != State::open) return;
  ping_ = true;
  pay_or_wait();
}

std::string Connection::other_side() const {
  return setup_.reader.role == FrameReaderOptions::Role::server ? "The client" : "The server";
}

Error Connection::lost() const {
  return {.code = Errc::link_lost, .message = other_side() + " is gone without a word."};
}

// --- in

void Connection::wait_readable() {
  if (reading_ || stopped() || state_ == State::closed) return;
  reading_ = true;
  auto go_on = [self = shared_from_this()](error_code error) {
    self->reading_ = false;
    if (!error) self->on_readable();
  };
  // What TLS has opened already makes no socket readable.
  if (stream_.has_read_ahead()) {
    boost::asio::post(timer_.get_executor(), [go_on = std::move(go_on)]() mutable { go_on({}); });
  } else {
    stream_.socket().async_wait(asio::socket_base::wait_read, std::move(go_on));
  }
}

void Connection::on_readable() {
  if (!setup_.held.empty()) return go_on_reading();  // what came earlier
  if (state_ == State::closed || stopped()) return;
  const Io got = stream_.read(*scratch_);
  if (got.bytes > 0) {
    unanswered_ = 0;
    ++stats_.heard;
    const ByteSpan input = ByteSpan{*scratch_}.first(got.bytes);
    // The buffer is for others now; what is left of it waits here, a turn's worth at most.
    const std::size_t left = take(input);
    if (left > 0) setup_.held.assign(input.end() - static_cast<std::ptrdiff_t>(left), input.end());
    held_from_ = 0;
    settle_memory();
  }
  if (state_ == State::closed) return;
  if (got.state == StreamState::wants_write) {
    read_wants_write_ = true;
    wait_writable();
  }
  // The end of the stream is met again by the next read.
  if (!setup_.held.empty()) return go_on_reading();
  switch (got.state) {
    case StreamState::ready:
    case StreamState::wants_read:
      return wait_readable();
    case StreamState::wants_write:
      return;
    case StreamState::ended:
      // TLS tells of the end together with what came before it. While the owner reads nothing that waits, and
      // once it reads on the end is found again.
      if (state_ == State::open && paused_ && !setup_.held.empty()) return;
      [[fallthrough]];
    case StreamState::failed:
      return finish(state_ == State::open ? lost() : closed(), How::quietly);
  }
}

void Connection::go_on_reading() {
  if (setup_.held.empty()) return wait_readable();
  if (stopped() || state_ == State::closed || std::exchange(turn_pending_, true)) return;
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->turn_pending_ = false;
    self->take_held();
    self->go_on_reading();
  });
}

void Connection::take_held() {
  if (setup_.held.empty() || state_ == State::closed || stopped()) return;
  ByteBuffer held = std::exchange(setup_.held, {});
  const std::size_t left = take(ByteSpan{held}.subspan(std::exchange(held_from_, 0)));
  if (left > 0) {
    held_from_ = held.size() - left;
    setup_.held = std::move(held);
  }
  settle_memory();
}

std::size_t Connection::take(ByteSpan input) {
  for (std::size_t taken = 0; state_ != State::closed; ++taken) {
    if (stopped() || taken == limits::kFramesPerTurn) return input.size();
    const auto event = reader_.next(input);
    if (!event) {
      refuse(event.error());
      return 0;
    }
    if (!*event) break;
    handle(**event);
  }
  pace_.on_small_fragments(reader_.take_small_fragments(), Clock::now());
  keep_pace();
  return 0;
}

/// Stops reading from a connection that sends more control frames than it may.
void Connection::keep_pace() {
  if (state_ != State::open || throttled_) return;
  const auto pause = pace_.stop(Clock::now());
  if (!pause) return;
  if (pace_.exhausted())
    return refuse({.close_code = close_code::kPolicy, .text = "too many control frames"});
  throttled_ = true;
  if (!throttle_) throttle_ = std::make_unique<boost::asio::steady_timer>(timer_.get_executor());
  throttle_->expires_after(*pause);
  throttle_->async_wait([self = shared_from_this()](error_code error) {
    if (error) return;
    self->throttled_ = false;
    if (self->state_ == State::open) self->go_on_reading();
  });
}

void Connection::handle(const FrameEvent& event) {
  using Kind = FrameEvent::Kind;
  if (event.kind == Kind::close) return on_close_frame(event);
  if (state_ != State::open) return;
  switch (event.kind) {
    case Kind::text:
    case Kind::binary:
      stats_.received += size_of(event.payload);
      ++stats_.messages_received;
      return listener_->on_message(
          event.kind == Kind::text ? transport::MessageKind::text : transport::MessageKind::binary,
          event.payload);
    case Kind::ping:
      pong_ = to_buffer(event.payload);
      pay_or_wait();
      [[fallthrough]];
    case Kind::pong:
      pace_.on_control_frame(Clock::now());
      return keep_pace();
    case Kind::close:
      return;
  }
}

void Connection::pause_reading() {
  paused_ = true;
}

void Connection::resume_reading() {
  if (!std::exchange(paused_, false) || listener_ == nullptr || state_ != State::open) return;
  go_on_reading();
}

// --- out

std::size_t Connection::write(ByteView frames) {
  if (state_ != State::open || wants_room_) return 0;
  ENSURE(begun_ <= frames.size());
  std::size_t taken = 0;
  while (taken < frames.size() && !wants_room_) {
    if (!pay()) {
      wants_room_ = true;
      break;
    }
    ByteView rest = frames.subspan(taken);
    // What is owed goes where the begun frame ends.
    if (owes()) rest = rest.first(static_cast<std::size_t>(begun_));
    const Io io = stream_.write(rest);
    note_begun(frames.subspan(taken), io.bytes);
    taken += io.bytes;
    if (io.state != StreamState::ready) {
      wants_room_ = taken < frames.size();
      note_blocked(io.state);
      break;
    }
  }
  stats_.sent += Bytes{taken};
  if (taken == frames.size() && owes()) pay();
  return taken;
}

void Connection::note_begun(ByteView frames, std::size_t taken) {
  if (taken == frames.size()) {
    begun_ = 0;
    return;
  }
  while (begun_ < taken) {
    const auto size = frame_size(frames.subspan(static_cast<std::size_t>(begun_)));
    ENSURE(size.has_value());
    begun_ += *size;
  }
  begun_ -= taken;
}

void Connection::note_blocked(NativeStream::State state) {
  if (state == StreamState::wants_write) return wait_writable();
  // Told in a turn of its own: this may be a call of the owner's.
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
    if (self->state_ != State::closed) self->finish(self->lost(), How::quietly);
  });
}

ByteBuffer Connection::control_frame(Opcode opcode, ByteView payload) const {
  if (!setup_.masks) return encode_control(opcode, payload);
  ByteBuffer out;
  append_client_frame(out, {.opcode = opcode, .payload = payload, .mask = setup_.masks->next()});
  return out;
}

bool Connection::owes() const {
  return !control_.empty() || pong_ || ping_ || (!goodbye_.empty() && !sent_goodbye_);
}

bool Connection::next_owed() {
  if (!control_.empty()) return true;
  control_sent_ = 0;
  if (sent_goodbye_) return false;  // nothing comes after it
  if (pong_) {
    control_ = control_frame(Opcode::pong, *pong_);
    pong_.reset();
  } else if (std::exchange(ping_, false)) {
    control_ = control_frame(Opcode::ping, {});
  } else if (!goodbye_.empty()) {
    control_ = std::exchange(goodbye_, {});
    sent_goodbye_ = true;
  }
  return !control_.empty();
}

bool Connection::pay() {
  while (begun_ == 0 && next_owed()) {
    const Io io = stream_.write(ByteView{control_}.subspan(control_sent_));
    control_sent_ += io.bytes;
    const bool sent = control_sent_ == control_.size();
    if (sent) control_ = ByteBuffer{};
    if (io.state != StreamState::ready) {
      note_blocked(io.state);
      return false;
    }
  }
  return true;
}

void Connection::pay_or_wait() {
  if (!writing_) (void)pay();
}

void Connection::wait_writable() {
  if (state_ == State::closed || std::exchange(writing_, true)) return;
  stream_.socket().async_wait(asio::socket_base::wait_write, [self = shared_from_this()](error_code error) {
    self->writing_ = false;
    if (!error) self->on_writable();
  });
}

void Connection::on_writable() {
  if (state_ == State::closed) return;
  if (std::exchange(read_wants_write_, false)) go_on_reading();
  const Io held = stream_.write({});
  if (held.state != StreamState::ready) return note_blocked(held.state);
  if (!pay()) return;
  if (state_ == State::hanging_up && !owes()) return stream_.end_sending();
  if (state_ == State::open && std::exchange(wants_room_, false)) listener_->on_writable();
}

// --- the end

void Connection::start_timer(Duration after) {
  timer_.expires_after(after);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->on_timer();
  });
}

void Connection::on_timer() {
  // One that was set anew after it had run out is not over.
  if (state_ == State::closed || timer_.expiry() > Clock::now()) return;
  if (state_ != State::open) return finish(closed(), How::by_reset);
  // While nothing is read there can be no answer, and no rest of a message.
  if (stopped()) unanswered_ = part_of_ = 0;
  if (unanswered_ >= setup_.missed_pings)
    return finish({.code = Errc::stalled, .message = other_side() + " does not answer pings."},
                  How::by_reset);
  // A message takes as long as its sender likes, but not for ever: others want the memory.
  const bool began_before =
      std::exchange(part_of_, reader_.held() > Bytes{} ? stats_.messages_received + 1 : 0) ==
      stats_.messages_received + 1;
  if (began_before)
    return finish({.code = Errc::stalled, .message = other_side() + " does not finish its message."},
                  How::by_reset);
  ++unanswered_;
  ping_ = true;
  pay_or_wait();
  start_timer(setup_.ping);
}

void Connection::close(transport::MessageSocket::Farewell farewell) {
  if (state_ != State::open) return;
  if (begun_ > farewell.last.size()) {
    return finish({.code = Errc::closed, .message = "The connection was closed within a message."},
                  How::by_reset);
  }
  state_ = State::closing;
  start_timer(setup_.close_timeout);
  // As if it were one control frame that is on its way: what comes next is the close frame.
  control_.insert(control_.end(), farewell.last.begin(), farewell.last.end());
  begun_ = 0;
  say_goodbye(farewell.code, farewell.text);
  go_on_reading();
}

void Connection::say_goodbye(std::uint16_t code, std::string_view text) {
  goodbye_ = control_frame(Opcode::close, close_payload(code, text));
  pong_.reset();
  ping_ = false;
  pay_or_wait();
}

void Connection::on_close_frame(const FrameEvent& event) {
  if (state_ == State::closing) return hang_up(closed());
  if (state_ != State::open) return;
  std::string message = other_side() + " closed the connection";
  if (event.close_code != close_code::kNoStatus) message += " (" + std::to_string(event.close_code) + ")";
  if (!event.payload.empty()) message += ": " + std::string{as_text(event.payload)};
  state_ = State::hanging_up;
  if (begun_ == 0) say_goodbye(event.close_code, {});  // RFC 6455 §5.5.1: the same code
  hang_up({.code = Errc::closed, .message = std::move(message)});
}

void Connection::refuse(const FrameError& error) {
  // While it is hanging up nothing is read any more, and the reader says nothing after its first error.
  const bool first = state_ == State::open;
  state_ = State::hanging_up;
  if (first && begun_ == 0) say_goodbye(error.close_code, error.text);
  hang_up({.code = error.close_code == close_code::kTooBig ? Errc::limit_exceeded : Errc::protocol_violation,
           .message = other_side() + " broke the WebSocket protocol: " + std::string{error.text} + "."});
}

/// Pays for what is held of the other side's messages; who sends what there is no room for is refused.
void Connection::settle_memory() {
  if (!setup_.memory || state_ == State::closed) return;
  Bytes held = reader_.held() + Bytes{setup_.held.capacity()};
  if (held <= kUnpaidPart) held = Bytes{};
  if (held <= charged_) {
    setup_.memory->release(charged_ - held);
  } else if (!setup_.memory->try_charge(held - charged_)) {
    reader_.give_up();
    setup_.held = ByteBuffer{};
    if (state_ == State::open && begun_ == 0)
      say_goodbye(close_code::kTryAgainLater, "there is no memory for this message");
    return hang_up({.code = Errc::busy, .message = "There was no memory for what the client sent."});
  }
  charged_ = held;
}

/// Closing a socket with unread bytes in it resets the connection, and a reset overtakes what was sent last
/// (RFC 2525 §2.17): so this side says that it is done, and the client hangs up, within a limit of time.
void Connection::hang_up(Error reason) {
  if (begun_ > 0) return finish(std::move(reason), How::by_reset);
  state_ = State::hanging_up;
  tell_closed(std::move(reason));
  start_timer(setup_.linger);
  if (!owes() && !writing_) stream_.end_sending();
  wait_readable();
}

void Connection::cut(Error reason) {
  if (state_ != State::closed) finish(std::move(reason), How::by_reset);
}

void Connection::abandon() {
  listener_ = nullptr;
  if (state_ == State::open || state_ == State::closing)
    finish({.code = Errc::cancelled, .message = "The connection was given up."}, How::by_reset);
}

void Connection::finish(Error reason, How how) {
  state_ = State::closed;
  timer_.cancel();
  if (throttle_) throttle_->cancel();
  // What the system still holds for a client that does not read would stay there for minutes.
  if (how == How::by_reset || writing_) {
    stream_.reset();
  } else {
    stream_.close();
  }
  setup_.held = ByteBuffer{};
  control_ = ByteBuffer{};
  setup_.token.reset();
  tell_closed(std::move(reason));
}

void Connection::tell_closed(Error reason) {
  if (!ended_) ended_ = std::move(reason);
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
    if (auto* listener = std::exchange(self->listener_, nullptr)) listener->on_closed(*self->ended_);
  });
}

}  // namespace sluice::websocket
