#include "peer/tunnel/host_session.hpp"

#include <utility>

#include "observe/log.hpp"
#include "peer/tunnel/dial.hpp"
#include "peer/tunnel/tcp_socket.hpp"

namespace sluice::tunnel {

namespace asio = boost::asio;

HostSession::HostSession(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                         Targets targets, SessionOptions options)
    : Endpoint(executor, std::move(link), std::move(targets), options) {}

void HostSession::dial(wire::SocketId id, const Target& target) {
  dials_[id] = ++last_dial_;
  tasks().spawn(serve(id, last_dial_, target));
}

asio::awaitable<void> HostSession::serve(wire::SocketId id, std::uint64_t number, const Target& target) {
  auto connected = co_await tunnel::dial(target);
  const auto asked = dials_.find(id);
  if (asked == dials_.end() || asked->second != number) co_return;
  dials_.erase(asked);
  if (connected) {
    session().dialed(id, std::make_unique<TcpSocket>(std::move(*connected), report_as(id)), Clock::now());
  } else {
    DialFailure& failure = connected.error();
    observe::log(observe::LogLevel::warn, "tunnel", [&] { return "cannot reach " + failure.text; });
    session().dial_failed(id, failure.reason, std::move(failure.text), Clock::now());
  }
  after_input();
}

}  // namespace sluice::tunnel
