#include "client/messaging/hub_client.hpp"

#include <algorithm>
#include <utility>

#include "wire/hub/codec.hpp"

namespace sluice::messaging {

namespace asio = boost::asio;
using transport::MessageKind;
using wire::hub::Encoding;

namespace {

constexpr std::uint16_t kNonsense = 1002;  // RFC 6455 §7.4.1

SessionOptions with_prefix(SessionOptions options, std::mt19937_64& random) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  if (!options.id_prefix.empty()) return options;
  for (int i = 0; i < 16; ++i) options.id_prefix += kDigits[random() % kDigits.size()];
  return options;
}

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  return std::mt19937_64{seed};
}

}  // namespace

HubClient::HubClient(asio::any_io_executor executor, Connector connector, SessionOptions options)
    : connector_(std::move(connector)),
      random_(seeded()),
      session_(with_prefix(std::move(options), random_)),
      turn_(executor),
      news_(executor),
      room_(executor) {}

HubClient::~HubClient() = default;

double HubClient::random() {
  return std::uniform_real_distribution<double>{0.0, 1.0}(random_);
}

// --- connections

asio::awaitable<void> HubClient::run() {
  while (!done()) {
    const auto at = session_.connect_at();
    if (at && Clock::now() < *at) {
      co_await turn_.wait_until(*at);
      continue;
    }
    // Each connection brings events of its own, and nobody takes any.
    if (session_.is_full()) {
      co_await turn_.wait_until(TimePoint::max());
      continue;
    }
    // A name of its own: GCC 12 destroys temporaries in a co_await expression twice (GCC bug 99576).
    Visit visit{.session_token = session_.session_token()};
    auto attempt = co_await connector_(std::move(visit));
    if (!attempt.made) {
      std::optional<Duration> wish;
      if (attempt.refusal && attempt.refusal->retry_after) wish = *attempt.refusal->retry_after;
      lose(std::move(attempt.made.error()), wish);
      continue;
    }
    if (done()) break;
    open(std::move(*attempt.made));
    co_await serve();
  }
  news_.notify();
  room_.notify();
}

void HubClient::open(transport::ConnectedSocket connected) {
  connection_ = std::move(connected);
  encoding_ = connection_.subprotocol == wire::hub::kJsonSubprotocol ? Encoding::json : Encoding::proto;
  ended_.reset();
  out_.clear();
  sent_ = 0;
  blocked_ = paused_ = false;
  session_.opened(Clock::now());
  connection_.socket->listen(*this);
  flush();
}

asio::awaitable<void> HubClient::serve() {
  bool closing = false;
  while (!ended_) {
    if (done() && !std::exchange(closing, true)) connection_.socket->close({});
    turn_at_ = session_.next_tick();
    co_await turn_.wait_until(closing ? TimePoint::max() : turn_at_);
    if (ended_ || closing) continue;
    if (session_.tick(Clock::now())) connection_.socket->cut();
    flush();
  }
  connection_ = {};
  lose(std::move(*ended_), std::nullopt);
}

void HubClient::lose(Error why, std::optional<Duration> retry_after) {
  if (!stopped_) {
    session_.closed({.why = std::move(why), .retry_after = retry_after, .random = random()}, Clock::now());
  }
  news_.notify();
}

void HubClient::stop() {
  stopped_ = true;
  session_.stop();
  turn_.notify();
}

// --- the socket

void HubClient::on_message(MessageKind /*kind*/, ByteView message) {
  auto said = wire::hub::decode_from_hub(encoding_, message);
  if (!said) return connection_.socket->close({.code = kNonsense, .text = said.error().message});
  session_.heard(std::move(*said), size_of(message), Clock::now());
  flush();
  news_.notify();
  if (session_.violation())
    return connection_.socket->close({.code = kNonsense, .text = session_.violation()->message});
  if (session_.can_publish()) room_.notify();
  if (session_.is_full() && !std::exchange(paused_, true)) connection_.socket->pause_reading();
  if (session_.is_over()) turn_.notify();
}

void HubClient::on_writable() {
  blocked_ = false;
  write();
  flush();
}

void HubClient::on_closed(const Error& reason) {
  ended_ = reason;
  turn_.notify();
}

void HubClient::flush() {
  if (connection_.socket == nullptr || ended_ || blocked_) return;
  const MessageKind kind = encoding_ == Encoding::json ? MessageKind::text : MessageKind::binary;
  for (const wire::hub::FromClient& message : session_.take_outgoing()) {
    scratch_.clear();
    wire::hub::append(scratch_, encoding_, message);
    if (size_of(scratch_) > limits::kMaxEnvelope) {
      // The hub would reject it, or end the connection where it is very large, each time that it is repeated.
      const auto instead = session_.too_large(message, size_of(scratch_));
      news_.notify();
      room_.notify();
      if (!instead) continue;
      scratch_.clear();
      wire::hub::append(scratch_, encoding_, *instead);
    }
    connection_.append_frame(out_, kind, scratch_);
  }
  write();
  if (session_.next_tick() < turn_at_) turn_.notify();
}

void HubClient::write() {
  if (blocked_ || sent_ == out_.size()) return;
  sent_ += connection_.socket->write(ByteView{out_}.subspan(sent_));
  blocked_ = sent_ < out_.size();
  if (blocked_) return;
  out_.clear();
  sent_ = 0;
}

// --- the owner

std::optional<Event> HubClient::poll() {
  const bool was_full = session_.is_full();
  session_.processed(Clock::now());
  auto event = session_.take_event();
  flush();
  if (was_full && !session_.is_full()) turn_.notify();
  if (paused_ && !session_.is_full() && connection_.socket != nullptr) {
    paused_ = false;
    connection_.socket->resume_reading();
  }
  return event;
}

void HubClient::settle() {
  session_.settle(Clock::now());
  flush();
}

asio::awaitable<std::optional<Event>> HubClient::next() {
  while (true) {
    auto event = poll();
    if (event) co_return event;
    if (done()) co_return std::nullopt;
    co_await news_.wait();
  }
}

asio::awaitable<Result<std::uint64_t>> HubClient::publish(Draft draft) {
  while (!session_.can_publish() && !done()) co_await room_.wait();
  auto number = session_.publish(std::move(draft));
  flush();
  co_return number;
}

Status HubClient::join(wire::hub::Join join) {
  auto status = session_.join(std::move(join));
  flush();
  return status;
}

void HubClient::leave(const std::string& group) {
  session_.leave(group);
  flush();
}

Status HubClient::pull(wire::hub::Pull pull) {
  auto status = session_.pull(std::move(pull));
  flush();
  return status;
}

Status HubClient::who(std::string group) {
  auto status = session_.who(std::move(group));
  flush();
  return status;
}

Result<std::string> HubClient::ask(Session::Question question) {
  auto id = session_.ask(std::move(question));
  flush();
  return id;
}

void HubClient::reply(wire::hub::Reply reply) {
  session_.reply(std::move(reply));
  flush();
}

void HubClient::refresh(std::string token) {
  session_.refresh(std::move(token));
  flush();
}

void HubClient::ping() {
  session_.ping(Clock::now());
  flush();
}

}  // namespace sluice::messaging
