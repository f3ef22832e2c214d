#include <utility>

#include <boost/asio/post.hpp>

#include "observe/log.hpp"
#include "transport/websocket/server_deadline.hpp"
#include "transport/websocket/server_impl.hpp"

/// How a connection becomes a socket of ours, on this shard or on another.
namespace sluice::websocket {

asio::awaitable<void> Server::Impl::upgrade(Visit& visit, const Request& request, SocketRoute& route) {
  const SocketOptions& options = route.options;
  auto switched = switch_protocols(request, options.subprotocols);
  if (!switched) {
    count(ServerCount::bad_request);
    co_return co_await answer(visit, std::move(switched.error()));
  }
  const transport::HttpRequest asked = describe_request(request, visit.remote);
  if (const auto after = options.busy ? options.busy(asked) : std::nullopt) {
    count(ServerCount::busy);
    Response refusal = come_again(request, *after);
    co_return co_await answer(visit, std::move(refusal));
  }
  const ByteBuffer bytes = encode(switched->response);
  {
    const Deadline deadline{visit.stream.socket(), limits_.handshake};
    if (!co_await send(visit.stream, bytes, deadline)) {
      count(ServerCount::timed_out);
      co_return;
    }
  }
  FrameReaderOptions reader{.max_message = options.max_message};
  transport::AcceptedSocket accepted;
  accepted.query = asked.query;
  if (switched->subprotocol) {
    reader.accepts = switched->subprotocol->messages;
    accepted.subprotocol = switched->subprotocol->name;
  }
  Connection::Setup setup{.reader = reader,
                          .ping = options.ping,
                          .missed_pings = options.missed_pings,
                          .close_timeout = options.close_timeout,
                          .linger = options.linger,
                          .remote_address = std::move(visit.remote),
                          .held = std::move(visit.behind),
                          .memory = options.memory};
  const auto to = route.destinations[route.next];
  route.next = (route.next + 1) % route.destinations.size();
  hand_over(visit, std::move(setup), std::move(accepted), to);
}

void Server::Impl::hand_over(Visit& visit, Connection::Setup setup, transport::AcceptedSocket accepted,
                             const std::shared_ptr<const Destination>& to) {
  if (to->shard.executor == tasks_.executor()) {
    setup.token = visit.ticket;
    auto connection = std::make_shared<Connection>(std::move(visit.stream), to->scratch, std::move(setup));
    visit.ticket->place = admitted_->open.insert(admitted_->open.end(), connection);
    accepted.socket = make_socket(std::move(connection));
    to->shard.handler(std::move(accepted));
    return;
  }
  NativeStream stream = std::move(visit.stream).rebound(to->shard.executor);
  if (!stream.socket().is_open()) {
    count(ServerCount::lost);
    observe::log(observe::LogLevel::debug, "websocket",
                 "lost " + setup.remote_address + " after its upgrade");
    return;
  }
  setup.token = std::make_shared<Lease>(tasks_.executor(), std::move(visit.ticket));
  asio::post(to->shard.executor, [to, stream = std::move(stream), setup = std::move(setup),
                                  accepted = std::move(accepted)]() mutable {
    auto connection = std::make_shared<Connection>(std::move(stream), to->scratch, std::move(setup));
    accepted.socket = make_socket(std::move(connection));
    to->shard.handler(std::move(accepted));
  });
}

}  // namespace sluice::websocket
