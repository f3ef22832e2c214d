#include "transport/websocket/server_deadline.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sluice::websocket {

using StreamState = NativeStream::State;

Deadline::Deadline(asio::ip::tcp::socket& socket, Duration after)
    : state_(std::make_shared<State>(&socket)), timer_(socket.get_executor(), after) {
  timer_.async_wait([state = state_](error_code error) {
    if (!error) state->pass();
  });
}

void Deadline::State::pass() {
  if (socket == nullptr) return;
  passed = true;
  error_code ignored;
  socket->cancel(ignored);
}

std::function<void()> Deadline::stopper() const {
  return [state = state_] { state->pass(); };
}

void Deadline::met() {
  state_->socket = nullptr;
  timer_.cancel();
}

asio::awaitable<bool> Deadline::wait(StreamState wanted) const {
  if (passed() || (wanted != StreamState::wants_read && wanted != StreamState::wants_write)) co_return false;
  const auto kind =
      wanted == StreamState::wants_read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
  const auto [error] = co_await state_->socket->async_wait(kind, asio::as_tuple(asio::use_awaitable));
  co_return !error && !passed();
}

asio::awaitable<void> Deadline::pause() const {
  co_await asio::post(state_->socket->get_executor(), asio::use_awaitable);
}

asio::awaitable<bool> send(NativeStream& stream, ByteView bytes, const Deadline& deadline) {
  for (;;) {
    const auto io = stream.write(bytes);
    bytes = bytes.subspan(io.bytes);
    if (io.state == StreamState::ready && bytes.empty()) co_return true;
    if (io.state != StreamState::ready && !co_await deadline.wait(io.state)) co_return false;
  }
}

}  // namespace sluice::websocket
