#include "peer/tunnel/host_session.hpp"

#include <utility>

#include <fmt/format.h>

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

asio::awaitable<std::expected<StreamSocket, DialFailure>> HostSession::connect(Dial& dial,
                                                                               const Target& target) {
  if (!target.path.empty()) {
    // A name of its own: GCC 12 destroys temporaries in a co_await expression twice (GCC bug 99576).
    auto connecting = connect_unix(dial, target.path);
    co_return co_await std::move(connecting);
  }
  auto connected = co_await dial.connect(target);
  if (!connected) co_return std::unexpected(std::move(connected.error()));
  co_return StreamSocket{std::move(*connected)};
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
  auto connected = co_await connect(*dial, target);
  // An id may come again while its forgotten dial ends.
  const auto asked = dials_.find(id);
  if (asked == dials_.end() || asked->second != dial) co_return;
  dials_.erase(asked);
  if (connected) {
    if (!target.path.empty()) mark_unix(id);
    session().dialed(id, std::make_unique<TcpSocket>(std::move(*connected), report_as(id)), Clock::now());
  } else {
    const DialFailure& failure = connected.error();
    log_rejected({.reason = failure.reason, .target = target.name}, "cannot reach " + failure.text);
    session().dial_failed(id, failure.reason, Clock::now());
  }
  after_input();
}

void HostSession::on_refused(wire::CloseReason reason, const std::string& text) {
  log_rejected({.reason = reason}, "rejected a connection: " + text);
}

void HostSession::on_stream_end(wire::SocketId id, const StreamEnd& end) {
  Endpoint::on_stream_end(id, end);
  if (end.by == StreamEnd::By::local && end.reason == wire::CloseReason::limit_reached)
    log_rejected({.reason = end.reason}, "closed a connection: " + end.text);
}

/// A line of each kind once a minute: a client decides how many there are.
void HostSession::log_rejected(const Rejection& what, const std::string& text) {
  const auto times = pace_.note(fmt::format("{} {}", name_of(what.reason), what.target), Clock::now());
  if (!times) return;
  observe::log(observe::LogLevel::warn, "tunnel", [&] {
    return fmt::format("{}{}", text,
                       *times > 1 ? fmt::format(" ({} like it since the last line)", *times) : "");
  });
}

}  // namespace sluice::tunnel
