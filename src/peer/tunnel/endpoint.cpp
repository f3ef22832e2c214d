#include "peer/tunnel/endpoint.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "observe/log.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using observe::LogLevel;

}  // namespace

Endpoint::Endpoint(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link, Role role,
                   SessionOptions options)
    : link_(std::move(link)),
      session_(role, *link_, *this, options),
      tasks_(executor),
      changed_(executor),
      alive_(std::make_shared<Endpoint*>(this)) {}

Endpoint::Endpoint(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                   Targets targets, SessionOptions options)
    : link_(std::move(link)),
      session_(*link_, *this, std::move(targets), options),
      tasks_(executor),
      changed_(executor),
      alive_(std::make_shared<Endpoint*>(this)) {}

Endpoint::~Endpoint() = default;

asio::awaitable<Error> Endpoint::run() {
  link_->listen(*this);
  session_.start(Clock::now());
  tasks_.spawn(keep_time());
  after_input();
  // A cancelled run still ends its session and joins its tasks: only its waits are cut short.
  co_await asio::this_coro::throw_if_cancelled(false);
  try {
    while (session_.ended() == nullptr) co_await changed_.wait();
    on_stop();
    link_->close();
    while (!link_closed_) co_await changed_.wait();
  } catch (const boost::system::system_error&) {
    session_.on_link_closed({.code = Errc::cancelled, .message = "the tunnel was cancelled"}, Clock::now());
    on_stop();
    link_->close();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation{});
  tasks_.cancel();
  co_await tasks_.join();
  co_return *session_.ended();
}

void Endpoint::stop() {
  const TimePoint now = Clock::now();
  on_stop();
  session_.drain(now + limits::kDrainTimeout, now);
  after_input();
}

void Endpoint::after_input() {
  if (session_.ended() != nullptr) changed_.notify();
  if (session_.wants_turn()) go_on_later();
  if (session_.ready() && !std::exchange(ready_, true)) on_ready();
}

/// After the shard's other work: sockets and the link have their turn between two of the session's.
void Endpoint::go_on_later() {
  if (std::exchange(turn_posted_, true)) return;
  asio::post(tasks_.executor(), [alive = std::weak_ptr{alive_}] {
    const auto self = alive.lock();
    if (!self) return;
    Endpoint& endpoint = **self;
    endpoint.turn_posted_ = false;
    endpoint.session_.go_on(Clock::now());
    endpoint.after_input();
  });
}

asio::awaitable<void> Endpoint::keep_time() {
  asio::steady_timer timer{tasks_.executor()};
  while (true) {
    const TimePoint tick = Clock::now() + limits::kTunnelTick;
    timer.expires_at(std::min(session_.next_deadline().value_or(tick), tick));
    co_await timer.async_wait(asio::use_awaitable);
    session_.expire(Clock::now());
    after_input();
  }
}

void Endpoint::on_message(ByteView message) {
  session_.on_message(message, Clock::now());
  after_input();
}

void Endpoint::on_buffered_amount_low() {
  session_.on_link_low(Clock::now());
  after_input();
}

void Endpoint::on_closed(const Error& reason) {
  link_closed_ = true;
  on_stop();
  session_.on_link_closed(reason, Clock::now());
  changed_.notify();
}

void Endpoint::on_readable(wire::SocketId id, TimePoint now) {
  session_.on_readable(id, now);
  after_input();
}

void Endpoint::on_writable(wire::SocketId id, TimePoint now) {
  session_.on_writable(id, now);
  after_input();
}

void Endpoint::on_ignored(wire::SocketId id, Ignored why) {
  observe::log(LogLevel::debug, "tunnel",
               [&] { return fmt::format("ignored a packet for socket {:08x}: {}", id.value, name_of(why)); });
}

void Endpoint::on_stream_end(wire::SocketId id, const StreamEnd& end) {
  observe::log(LogLevel::debug, "tunnel", [&] {
    return fmt::format("socket {:08x} ended: {}{}{}", id.value, name_of(end.reason),
                       end.text.empty() ? "" : ", ", end.text);
  });
  if (unix_.erase(id) == 0 || end.reason == wire::CloseReason::normal) return;
  const auto times = unix_pace_.note(std::string{name_of(end.reason)}, Clock::now());
  if (!times) return;
  observe::log(LogLevel::warn, "tunnel", [&] {
    return fmt::format(
        "a connection over a Unix socket ended early ({}){}{}: its program saw an ordinary end{}",
        name_of(end.reason), end.text.empty() ? "" : ": ", end.text,
        *times > 1 ? fmt::format(" ({} like it since the last line)", *times) : "");
  });
}

}  // namespace sluice::tunnel
