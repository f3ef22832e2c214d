#include "peer/tunnel/host_session.hpp"

#include <utility>

#include "observe/log.hpp"
#include "peer/tunnel/tcp_socket.hpp"

namespace sluice::tunnel {

namespace asio = boost::asio;

HostSession::HostSession(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                         Targets targets, SessionOptions options)
    : Endpoint(executor, std::move(link), std::move(targets), options) {}

void HostSession::dial(wire::SocketId id, const Target& target) {
  auto dial = std::make_shared<Dial>(tasks().executor());
  dials_[id] = dial;
  tasks().spawn(serve(id, std::move(dial), target));
}

/// Its task ends at the next turn of the loop, and takes its descriptor with it.
void HostSession::forget_dial(wire::SocketId id) {
  const auto asked = dials_.find(id);
  if (asked == dials_.end()) return;
  asked->second->give_up();
  dials_.erase(asked);
}

asio::awaitable<void> HostSession::serve(wire::SocketId id, std::shared_ptr<Dial> dial,
                                         const Target& target) {
  auto connected = co_await dial->connect(target);
  // An id may come again while its forgotten dial ends.
  const auto asked = dials_.find(id);
  if (asked == dials_.end() || asked->second != dial) co_return;
  dials_.erase(asked);
  if (connected) {
    session().dialed(id, std::make_unique<TcpSocket>(std::move(*connected), report_as(id)), Clock::now());
  } else {
    const DialFailure& failure = connected.error();
    observe::log(observe::LogLevel::warn, "tunnel", [&] { return "cannot reach " + failure.text; });
    session().dial_failed(id, failure.reason, Clock::now());
  }
  after_input();
}

}  // namespace sluice::tunnel
