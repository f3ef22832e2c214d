#include "peer/tunnel/forward_session.hpp"

#include <sys/socket.h>
#include <utility>

#include <fmt/format.h>

#include "observe/log.hpp"
#include "peer/tunnel/socket_id.hpp"
#include "peer/tunnel/stdio_socket.hpp"
#include "peer/tunnel/tcp_socket.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using observe::LogLevel;

}  // namespace

ForwardSession::ForwardSession(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                               Ways ways, SessionOptions options)
    : Endpoint(executor, std::move(link), Role::client, options), ways_(std::move(ways)) {}

void ForwardSession::on_ready() {
  if (ways_.entrances != nullptr) ways_.entrances->lead_to(*this);
  if (ways_.stdio_target) join_stdio();
}

void ForwardSession::join_stdio() {
  const wire::SocketId id = session().choose_id(socket_hash(as_bytes("stdio")));
  stdio_ = id;
  auto socket = std::make_unique<StdioSocket>(tasks().executor(), StdioSocket::Descriptors{}, report_as(id));
  if (!session().open(id, std::move(socket), *ways_.stdio_target, Clock::now())) tasks().spawn(stop_later());
  after_input();
}

void ForwardSession::on_stop() {
  if (ways_.entrances != nullptr) ways_.entrances->leave(*this);
}

void ForwardSession::take(StreamSocket socket, const std::string& target) {
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  const auto local = error ? StreamProtocol::endpoint{} : socket.local_endpoint(error);
  if (error) return;  // it is gone already
  const bool is_unix = local.data()->sa_family == AF_UNIX;
  const std::string tuple = fmt::format("{} {} {}", text_of(remote), text_of(local), ++taken_);
  const wire::SocketId id = session().choose_id(socket_hash(as_bytes(tuple)));
  if (is_unix) mark_unix(id);
  const auto opened =
      session().open(id, std::make_unique<TcpSocket>(std::move(socket), report_as(id)), target, Clock::now());
  if (!opened) {
    unmark_unix(id);
    observe::log(LogLevel::warn, "tunnel",
                 [&] { return fmt::format("refused {}: {}", text_of(remote), describe(opened.error())); });
  }
  after_input();
}

void ForwardSession::on_stream_end(wire::SocketId id, const StreamEnd& end) {
  Endpoint::on_stream_end(id, end);
  if (end.by == StreamEnd::By::remote && end.reason != wire::CloseReason::normal &&
      end.reason != wire::CloseReason::reset) {
    // The text names the target. However many a host makes up, each answers a connection of our own user's.
    if (const auto times = pace_.note(fmt::format("{} {}", name_of(end.reason), end.text), Clock::now())) {
      observe::log(LogLevel::warn, "tunnel", [&end, &times] {
        return fmt::format("the host closed a connection ({}){}{}{}", name_of(end.reason),
                           end.text.empty() ? "" : ": ", end.text,
                           *times > 1 ? fmt::format(" ({} like it since the last line)", *times) : "");
      });
    }
  }
  if (stdio_ != id) return;
  stdio_end_ = end;
  if (session().ended() == nullptr) tasks().spawn(stop_later());
}

/// The session's own calls may not be answered by ending it: a turn of the loop later.
asio::awaitable<void> ForwardSession::stop_later() {
  stop();
  co_return;
}

}  // namespace sluice::tunnel
