#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>

#include "observe/log.hpp"
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

}  // namespace

/// Ends the waits for a socket when the time is over.
class Deadline {
 public:
  Deadline(tcp::socket& socket, Duration after)
      : state_(std::make_shared<State>(&socket)), timer_(socket.get_executor(), after) {
    timer_.async_wait([state = state_](error_code error) {
      if (error || state->socket == nullptr) return;
      state->passed = true;
      error_code ignored;
      state->socket->cancel(ignored);
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { state_->socket = nullptr; }

  [[nodiscard]] bool passed() const { return state_->passed; }
  /// Waits for what a stream wants. False: in vain.
  asio::awaitable<bool> wait(StreamState wanted) const {
    if (passed() || (wanted != StreamState::wants_read && wanted != StreamState::wants_write))
      co_return false;
    const auto kind =
        wanted == StreamState::wants_read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
    const auto [error] = co_await state_->socket->async_wait(kind, kAwait);
    co_return !error && !passed();
  }

 private:
  struct State {
    explicit State(tcp::socket* waited_for) : socket(waited_for) {}
    tcp::socket* socket;
    bool passed = false;
  };
  std::shared_ptr<State> state_;
  asio::steady_timer timer_;
};

namespace {

/// Sends all of it. False: it cannot be sent, or not in time.
asio::awaitable<bool> send(NativeStream& stream, ByteView bytes, const Deadline& deadline) {
  for (;;) {
    const auto io = stream.write(bytes);
    bytes = bytes.subspan(io.bytes);
    if (io.state == StreamState::ready && bytes.empty()) co_return true;
    if (io.state != StreamState::ready && !co_await deadline.wait(io.state)) co_return false;
  }
}

/// The other side hangs up first: closing before it has read all would reset the connection (RFC 2525 §2.17).
asio::awaitable<void> drain(NativeStream& stream, const Deadline& deadline) {
  stream.end_sending();
  std::array<std::byte, kPiece> scrap{};
  for (;;) {
    const auto io = stream.read(scrap);
    if (io.state != StreamState::ready && !co_await deadline.wait(io.state)) co_return;
    if (deadline.passed()) co_return;
  }
}

}  // namespace

asio::awaitable<void> Server::Impl::serve(tcp::socket socket, std::string remote,
                                          std::shared_ptr<Ticket> ticket) {
  error_code error;
  socket.set_option(tcp::no_delay{true}, error);
  Visit visit{.stream = tls_ ? NativeStream{std::move(socket), *tls_} : NativeStream{std::move(socket)},
              .remote = std::move(remote),
              .ticket = std::move(ticket)};
  std::optional<Request> request;
  {
    // For everything up to the end of the header: no trickling past it.
    const Deadline deadline{visit.stream.socket(), limits_.handshake};
    if (!co_await shake_hands(visit, deadline)) co_return;
    request = co_await read_request(visit, deadline);
  }
  if (!request) co_return;
  visit.ticket->handshake_ended();
  const std::string_view target = request->target();
  const auto route = routes_.find(target.substr(0, target.find('?')));
  if (route != routes_.end()) {
    if (const auto* link = std::get_if<LinkRoute>(&route->second)) {
      if (beast::websocket::is_upgrade(*request)) co_return co_await upgrade(visit, *request, *link);
    } else {
      const auto& socket_route = std::get<SocketRoute>(route->second);
      co_return co_await upgrade(visit, *request, socket_route);
    }
  }
  Response response = make_response(*request, respond(*request, visit.remote));
  count(response.result() == http::status::ok ? ServerCount::answered : ServerCount::bad_request);
  co_await answer(visit, std::move(response));
}

asio::awaitable<bool> Server::Impl::shake_hands(Visit& visit, const Deadline& deadline) {
  for (;;) {
    const auto io = visit.stream.handshake();
    if (io.state == StreamState::ready) co_return true;
    if (!co_await deadline.wait(io.state)) break;
  }
  count(deadline.passed() ? ServerCount::timed_out : ServerCount::tls_failed);
  log(LogLevel::debug, "no TLS with " + visit.remote);
  co_return false;
}

asio::awaitable<std::optional<Request>> Server::Impl::read_request(Visit& visit, const Deadline& deadline) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header.count()));
  ByteBuffer unread;
  error_code failed;
  while (!parser.is_header_done()) {
    std::array<std::byte, kPiece> piece{};
    const auto io = visit.stream.read(piece);
    unread.insert(unread.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(io.bytes));
    if (io.bytes > 0) {
      const std::size_t used = parser.put(asio::buffer(unread), failed);
      unread.erase(unread.begin(), unread.begin() + static_cast<std::ptrdiff_t>(used));
      if (failed == http::error::need_more) failed = {};
      if (!failed && !parser.is_header_done() && size_of(unread) > limits_.header)
        failed = http::error::header_limit;
      if (failed) break;
      continue;
    }
    if (io.state == StreamState::ready || co_await deadline.wait(io.state)) continue;
    count(deadline.passed() ? ServerCount::timed_out : ServerCount::bad_request);
    co_return std::nullopt;  // gone
  }
  if (failed) {
    count(ServerCount::bad_request);
    Response refusal =
        make_response({}, failed == http::error::header_limit
                              ? plain_text(http::status::request_header_fields_too_large, "Header too large.")
                              : plain_text(http::status::bad_request, "Not HTTP."));
    co_await answer(visit, std::move(refusal));
    co_return std::nullopt;
  }
  visit.behind = std::move(unread);
  co_return parser.release();
}

transport::HttpResponse Server::Impl::respond(const Request& request, const std::string& remote) {
  const std::string_view target = request.target();
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (routes_.contains(path))
    return plain_text(http::status::upgrade_required, "This path speaks WebSocket only.");
  const auto page = pages_.find(path);
  if (page == pages_.end()) return plain_text(http::status::not_found, "Nothing is here.");
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return plain_text(http::status::method_not_allowed, "GET only.");
  }
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  return page->second({.path = std::string{path}, .query = std::string{query}, .remote_address = remote});
}

asio::awaitable<void> Server::Impl::answer(Visit& visit, Response response) {
  const ByteBuffer bytes = encode(response);
  const Deadline deadline{visit.stream.socket(), limits_.linger};
  if (co_await send(visit.stream, bytes, deadline)) co_await drain(visit.stream, deadline);
}

asio::awaitable<void> Server::Impl::upgrade(Visit& visit, const Request& request, const LinkRoute& route) {
  WebSocketStream socket{std::move(visit.stream).into_byte_stream()};
  prepare(socket, route.options, limits_.handshake);
  socket.set_option(beast::websocket::stream_base::decorator(
      [](beast::websocket::response_type& response) { response.set(http::field::server, "sluice"); }));
  auto [failed] = co_await socket.async_accept(request, kAwait);
  if (failed) {
    count(failed == beast::error::timeout ? ServerCount::timed_out : ServerCount::bad_request);
    log(LogLevel::debug, "no WebSocket with " + visit.remote + ": " + failed.message());
    co_return;
  }
  auto core = std::make_shared<LinkCore>(std::move(socket), route.options, visit.ticket);
  visit.ticket->place = admitted_->open.insert(admitted_->open.end(), core);
  route.handler({.link = make_link(std::move(core)), .remote_address = std::move(visit.remote)});
}

asio::awaitable<void> Server::Impl::upgrade(Visit& visit, const Request& request, const SocketRoute& route) {
  const SocketOptions& options = route.options;
  auto switched = switch_protocols(request, options.subprotocols);
  if (!switched) {
    count(ServerCount::bad_request);
    co_return co_await answer(visit, std::move(switched.error()));
  }
  if (const auto after = options.busy ? options.busy() : std::nullopt) {
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
  if (switched->subprotocol) {
    reader.accepts = switched->subprotocol->messages;
    accepted.subprotocol = switched->subprotocol->name;
  }
  const std::string_view target = request.target();
  if (const auto mark = target.find('?'); mark != std::string_view::npos)
    accepted.query = target.substr(mark + 1);
  Connection::Setup setup{.reader = reader,
                          .ping = options.ping,
                          .close_timeout = options.close_timeout,
                          .linger = options.linger,
                          .remote_address = std::move(visit.remote),
                          .held = std::move(visit.behind),
                          .token = visit.ticket};
  auto connection = std::make_shared<Connection>(std::move(visit.stream), scratch_, std::move(setup));
  visit.ticket->place = admitted_->open.insert(admitted_->open.end(), connection);
  accepted.socket = make_socket(std::move(connection));
  route.handler(std::move(accepted));
}

}  // namespace sluice::websocket
