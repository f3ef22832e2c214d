#include "peer/tunnel/forward_session.hpp"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "observe/log.hpp"
#include "peer/tunnel/socket_id.hpp"
#include "peer/tunnel/stdio_socket.hpp"
#include "peer/tunnel/tcp_socket.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using observe::LogLevel;

Errc code_of(const boost::system::error_code& error) {
  if (error == asio::error::address_in_use) return Errc::address_in_use;
  if (error == asio::error::access_denied) return Errc::permission_denied;
  if (error == boost::system::errc::address_not_available) return Errc::not_found;
  return Errc::io;
}

std::string text_of(const tcp::endpoint& endpoint) {
  return fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

}  // namespace

Result<Listener> listen_on(const asio::any_io_executor& executor, const LocalPort& port) {
  if (auto valid = wire::check_target(port.target); !valid) return fail(valid.error());
  const auto failed = [&port](const boost::system::error_code& error) {
    return fail(code_of(error),
                fmt::format("cannot listen on {}:{}: {}", port.bind, port.port, error.message()));
  };
  boost::system::error_code error;
  tcp::resolver resolver{executor};
  const auto addresses =
      resolver.resolve(port.bind, std::to_string(port.port), tcp::resolver::passive, error);
  if (error) return failed(error);
  const tcp::endpoint address = *addresses.begin();
  tcp::acceptor acceptor{executor};
  acceptor.open(address.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
  if (!error) acceptor.bind(address, error);
  if (!error) acceptor.listen(limits::kListenBacklog, error);
  if (error) return failed(error);
  LocalPort bound = port;
  bound.port = acceptor.local_endpoint(error).port();
  if (error) return failed(error);
  return Listener{.acceptor = std::move(acceptor), .bound = std::move(bound)};
}

ForwardSession::ForwardSession(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                               Ways ways, SessionOptions options)
    : Endpoint(executor, std::move(link), Role::client, options), ways_(std::move(ways)) {}

void ForwardSession::on_ready() {
  for (Listener& listener : ways_.listeners) tasks().spawn(accept(listener));
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
  boost::system::error_code ignored;
  for (Listener& listener : ways_.listeners) listener.acceptor.close(ignored);
}

asio::awaitable<void> ForwardSession::accept(Listener& listener) {
  asio::steady_timer pause{tasks().executor()};
  while (listener.acceptor.is_open()) {
    auto [error, socket] = co_await listener.acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (!error) {
      take(std::move(socket), listener.bound.target);
    } else if (listener.acceptor.is_open()) {
      // No descriptors, no memory: the connection waits in the backlog meanwhile.
      observe::log(LogLevel::warn, "tunnel",
                   [&error] { return "cannot accept a connection: " + error.message(); });
      pause.expires_after(limits::kAcceptPause);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }
}

void ForwardSession::take(tcp::socket socket, const std::string& target) {
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  const auto local = error ? tcp::endpoint{} : socket.local_endpoint(error);
  if (error) return;  // it is gone already
  const std::string four_tuple = text_of(remote) + " " + text_of(local);
  const wire::SocketId id = session().choose_id(socket_hash(as_bytes(four_tuple)));
  const auto opened =
      session().open(id, std::make_unique<TcpSocket>(std::move(socket), report_as(id)), target, Clock::now());
  if (!opened) {
    observe::log(LogLevel::warn, "tunnel",
                 [&] { return fmt::format("refused {}: {}", text_of(remote), describe(opened.error())); });
  }
  after_input();
}

void ForwardSession::on_stream_end(wire::SocketId id, const StreamEnd& end) {
  Endpoint::on_stream_end(id, end);
  if (end.by == StreamEnd::By::remote && end.reason != wire::CloseReason::normal &&
      end.reason != wire::CloseReason::reset) {
    if (const auto times = pace_.note(std::string{name_of(end.reason)}, Clock::now())) {
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
