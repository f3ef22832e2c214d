#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>

#include "observe/log.hpp"
#include "transport/websocket/server_deadline.hpp"
#include "transport/websocket/server_impl.hpp"

/// A connection from its accept to its answer, or until it is a WebSocket. These coroutines end there, and
/// their memory with them.
namespace sluice::websocket {
namespace {

namespace http = beast::http;
using asio::ip::tcp;
using observe::LogLevel;
using StreamState = NativeStream::State;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// What is read at a time before the request is complete: most fit.
constexpr std::size_t kPiece = 2048;

void log(LogLevel level, const std::string& message) {
  observe::log(level, "websocket", message);
}

/// The other side hangs up first: closing before it has read all would reset the connection (RFC 2525 §2.17).
asio::awaitable<void> drain(NativeStream& stream, const Deadline& deadline) {
  stream.end_sending();
  std::array<std::byte, kPiece> scrap{};
  for (;;) {
    const auto io = stream.read(scrap);
    if (io.state != StreamState::ready) {
      if (!co_await deadline.wait(io.state)) co_return;
    } else {
      co_await deadline.pause();
    }
    if (deadline.passed()) co_return;
  }
}

}  // namespace

asio::awaitable<void> Server::Impl::serve(Arrival arrival, std::shared_ptr<Ticket> ticket) {
  error_code error;
  arrival.socket.set_option(tcp::no_delay{true}, error);
  Visit visit{.stream = arrival.carrier == Carrier::tls ? NativeStream{std::move(arrival.socket), *tls_}
                                                        : NativeStream{std::move(arrival.socket)},
              .carrier = arrival.carrier,
              .remote = std::move(arrival.remote),
              .ticket = std::move(ticket)};
  // For everything up to the end of the request: no trickling past it.
  Deadline deadline{visit.stream.socket(), limits_.admission.request.longest};
  if (visit.ticket->gave_way) co_return turn_away(visit.stream.socket(), visit.carrier);
  visit.ticket->stop = deadline.stopper();
  if (!co_await hear_proxy(visit, deadline)) co_return;
  if (!co_await shake_hands(visit, deadline)) co_return;
  RequestParser parser;
  if (!co_await read_header(visit, parser, deadline)) co_return;
  const Request& request = parser.get();
  if (!hear_fields(visit, request)) {
    deadline.met();
    visit.ticket->handshake_ended();
    Response refusal = come_again(request, retry_after());
    co_return co_await answer(visit, std::move(refusal));
  }
  if (auto foreign = refuse_foreign(visit, request)) {
    deadline.met();
    visit.ticket->handshake_ended();
    co_return co_await answer(visit, std::move(*foreign));
  }
  const std::string_view target = request.target();
  const auto route = routes_.find(target.substr(0, target.find('?')));
  if (route == routes_.end()) co_return co_await visit_page(visit, parser, deadline);
  deadline.met();
  visit.ticket->handshake_ended();
  if (admitted_->admission.is_beyond_total()) {  // the reserve is for pages
    count(ServerCount::full);
    Response refusal = come_again(request, retry_after());
    co_return co_await answer(visit, std::move(refusal));
  }
  if (auto* socket_route = std::get_if<SocketRoute>(&route->second))
    co_return co_await upgrade(visit, request, *socket_route);
  co_await upgrade(visit, request, std::get<LinkRoute>(route->second));
}

asio::awaitable<bool> Server::Impl::shake_hands(Visit& visit, const Deadline& deadline) {
  for (;;) {
    const auto io = visit.stream.handshake();
    if (io.state == StreamState::ready) co_return true;
    if (!co_await deadline.wait(io.state)) break;
  }
  count_end(visit, deadline, ServerCount::tls_failed);
  log(LogLevel::debug, "no TLS with " + visit.remote);
  co_return false;
}

asio::awaitable<bool> Server::Impl::read_more(Visit& visit, const Deadline& deadline) {
  std::array<std::byte, kPiece> piece{};
  while (!deadline.passed()) {
    const auto io = visit.stream.read(piece);
    if (io.bytes > 0) {
      visit.behind.insert(visit.behind.end(), piece.begin(),
                          piece.begin() + static_cast<std::ptrdiff_t>(io.bytes));
      co_return true;
    }
    if (!co_await deadline.wait(io.state)) break;
  }
  count_end(visit, deadline, ServerCount::bad_request);
  co_return false;
}

asio::awaitable<bool> Server::Impl::read_header(Visit& visit, RequestParser& parser, Deadline& deadline) {
  parser.header_limit(static_cast<std::uint32_t>(limits_.header.count()));
  parser.body_limit({});  // each page has its own
  error_code failed;
  while (!parser.is_header_done() && !failed) {
    if (!co_await read_more(visit, deadline)) co_return false;
    const std::size_t used = parser.put(asio::buffer(visit.behind), failed);
    visit.behind.erase(visit.behind.begin(), visit.behind.begin() + static_cast<std::ptrdiff_t>(used));
    if (failed == http::error::need_more) failed = {};
    if (!failed && !parser.is_header_done() && size_of(visit.behind) > limits_.header)
      failed = http::error::header_limit;
  }
  if (!failed) co_return true;
  deadline.met();
  visit.ticket->handshake_ended();
  count(ServerCount::bad_request);
  Response refusal =
      make_response({}, failed == http::error::header_limit
                            ? plain_text(http::status::request_header_fields_too_large, "Header too large.")
                            : plain_text(http::status::bad_request, "Not HTTP."));
  co_await answer(visit, std::move(refusal));
  co_return false;
}

asio::awaitable<void> Server::Impl::answer(Visit& visit, Response response) {
  const ByteBuffer bytes = encode(response);
  // What is answered from the reserve makes room for the next one soon.
  const bool is_scarce = admitted_->admission.is_beyond_total();
  const Deadline deadline{visit.stream.socket(), is_scarce ? limits_.linger / 8 : limits_.linger};
  if (!co_await send(visit.stream, bytes, deadline)) co_return;
  visit.ticket->answered(deadline.stopper());
  co_await drain(visit.stream, deadline);
}

asio::awaitable<void> Server::Impl::upgrade(Visit& visit, const Request& request, const LinkRoute& route) {
  if (auto switched = switch_protocols(request, {}); !switched) {
    count(ServerCount::bad_request);
    co_return co_await answer(visit, std::move(switched.error()));
  }
  ByteStream stream = std::move(visit.stream).into_byte_stream();
  stream.put_back(std::move(visit.behind));
  WebSocketStream socket{std::move(stream)};
  prepare(socket, route.options, limits_.handshake);
  socket.set_option(beast::websocket::stream_base::decorator(
      [](beast::websocket::response_type& response) { response.set(http::field::server, "sluice"); }));
  http::request<http::empty_body> whole{request};
  // Beast reads the first of several lines only; ours were read as one list.
  whole.set(http::field::upgrade, "websocket");
  whole.set(http::field::connection, "Upgrade");
  auto [failed] = co_await socket.async_accept(whole, kAwait);
  if (failed) {
    count(failed == beast::error::timeout ? ServerCount::timed_out : ServerCount::bad_request);
    log(LogLevel::debug, "no WebSocket with " + visit.remote + ": " + failed.message());
    co_return;
  }
  auto core = std::make_shared<LinkCore>(std::move(socket), route.options, visit.ticket);
  visit.ticket->place = admitted_->open.insert(admitted_->open.end(), core);
  route.handler({.link = make_link(std::move(core)), .remote_address = std::move(visit.remote)});
}

}  // namespace sluice::websocket
