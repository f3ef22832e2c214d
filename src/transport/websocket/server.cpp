#include "transport/websocket/server.hpp"

#include <list>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http.hpp>

#include "observe/log.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/address_block.hpp"
#include "transport/websocket/link.hpp"
#include "transport/websocket/tls.hpp"

namespace sluice::websocket {
namespace {

namespace http = beast::http;
using asio::ip::tcp;
using observe::LogLevel;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

void log(LogLevel level, const std::string& message) {
  observe::log(level, "websocket", message);
}

Response make_response(const Request& request, transport::HttpResponse content) {
  Response response{static_cast<http::status>(content.status), request.version()};
  response.set(http::field::server, "sluice");
  response.set(http::field::content_type, content.content_type);
  response.set(http::field::cache_control, "no-store");
  if (content.status == 405) response.set(http::field::allow, "GET, HEAD");
  if (content.status == 426) response.set(http::field::upgrade, "websocket");
  response.keep_alive(false);
  const std::size_t size = content.body.size();
  if (request.method() != http::verb::head) response.body() = std::move(content.body);
  response.content_length(size);
  return response;
}

/// Lets the kernel take little more than it can send, on every connection that is accepted here: otherwise it
/// hides megabytes for a reader that is asleep, and nobody notices (measured: 4 to 7 MB each).
void keep_little_in_kernel(tcp::acceptor& acceptor) {
  const int low = static_cast<int>(limits::kNotSentLowWater.count());
  // Only a matter of memory: without it the bound on a link's own buffer still holds.
  (void)::setsockopt(acceptor.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
}

transport::HttpResponse plain_text(http::status status, std::string body) {
  return {
      .status = static_cast<unsigned>(status), .content_type = "text/plain", .body = std::move(body) + "\n"};
}

}  // namespace

class Server::Impl {
 public:
  Impl(asio::any_io_executor executor, ServerOptions options, std::optional<asio::ssl::context> tls,
       std::optional<Fingerprint> fingerprint)
      : tasks_(executor),
        limits_(options.limits),
        tls_(std::move(tls)),
        fingerprint_(std::move(fingerprint)),
        admitted_(std::make_shared<Admitted>(options.limits.admission, executor)) {}

  Result<std::string> listen(const ListenAddress& address);
  asio::awaitable<void> stop(std::string reason);

  struct Route {
    LinkOptions options;
    transport::LinkHandler handler;
  };
  std::map<std::string, transport::HttpHandler, std::less<>> pages_;
  std::map<std::string, Route, std::less<>> routes_;
  std::array<std::uint64_t, kServerCounts> counts_{};

  [[nodiscard]] const std::optional<Fingerprint>& fingerprint() const { return fingerprint_; }
  [[nodiscard]] std::size_t connections() const { return admitted_->admission.connections(); }

 private:
  /// What outlives the server while a link's last operation still refers to it.
  struct Admitted {
    Admitted(AdmissionLimits limits, const asio::any_io_executor& executor)
        : admission(limits), changed(executor) {}
    Admission admission;
    std::list<std::weak_ptr<LinkCore>> links;
    runtime::WakeUp changed;  ///< A connection has ended.
  };

  /// A connection's place in the counts, from accept until its socket is closed.
  struct Ticket {
    Ticket(std::shared_ptr<Admitted> in, std::string from)
        : admitted(std::move(in)), block(std::move(from)) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      handshake_ended();
      if (link) admitted->links.erase(*link);
      admitted->admission.leave(block);
      admitted->changed.notify();
    }
    void handshake_ended() {
      if (std::exchange(in_handshake, false)) admitted->admission.handshake_ended(block);
    }
    std::shared_ptr<Admitted> admitted;
    std::string block;
    std::optional<std::list<std::weak_ptr<LinkCore>>::iterator> link;
    bool in_handshake = true;
  };

  void count(ServerCount what) { ++counts_[static_cast<std::size_t>(what)]; }
  std::shared_ptr<Ticket> admit(const std::string& remote);
  asio::awaitable<void> accept(tcp::acceptor& acceptor);
  asio::awaitable<void> serve(tcp::socket socket, std::string remote, std::shared_ptr<Ticket> ticket);
  asio::awaitable<void> answer(ByteStream& stream, Response response);
  asio::awaitable<void> upgrade(ByteStream stream, Request request, const Route& route, std::string remote,
                                std::shared_ptr<Ticket> ticket);
  transport::HttpResponse respond(const Request& request, std::string_view target, const std::string& remote);

  runtime::TaskScope tasks_;
  ServerLimits limits_;
  std::optional<asio::ssl::context> tls_;
  std::optional<Fingerprint> fingerprint_;
  std::shared_ptr<Admitted> admitted_;
  std::list<tcp::acceptor> acceptors_;
};

// --- listening
// ------------------------------------------------------------------------------------------------------

Result<std::string> Server::Impl::listen(const ListenAddress& address) {
  const std::string shown =
      authority({.scheme = {}, .host = address.address, .port = address.port, .path = {}});
  error_code error;
  const auto ip =
      asio::ip::make_address(address.address == "localhost" ? "127.0.0.1" : address.address, error);
  if (error) {
    return fail(Errc::invalid_argument,
                address.address +
                    " is not a numeric address; a hub listens at addresses like 127.0.0.1, 0.0.0.0 or [::].");
  }
  if (!tls_ && !ip.is_loopback()) {
    return fail(Errc::permission_denied,
                "Plain HTTP is served on loopback only, not at " + shown +
                    ": give a certificate (--tls-cert and --tls-key, or --dev-cert DIR) to listen there.");
  }
  if (acceptors_.size() >= limits::kMaxListeners)
    return fail(Errc::limit_exceeded, "Too many addresses to listen at.");
  tcp::acceptor acceptor{tasks_.executor()};
  const tcp::endpoint endpoint{ip, address.port};
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
  if (!error && ip.is_v6()) acceptor.set_option(asio::ip::v6_only{true}, error);
  if (!error) keep_little_in_kernel(acceptor);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(Errc::address_in_use,
                "Port " + std::to_string(address.port) + " is taken already (" + shown + ").");
  }
  if (error == asio::error::access_denied) {
    return fail(Errc::permission_denied, "The system does not allow listening at " + shown + ".");
  }
  if (error) return fail(Errc::io, "Cannot listen at " + shown + ": " + error.message());
  const std::uint16_t port = acceptor.local_endpoint().port();
  acceptors_.push_back(std::move(acceptor));
  tasks_.spawn(accept(acceptors_.back()));
  return (tls_ ? "wss://" : "ws://") +
         authority({.scheme = {}, .host = ip.to_string(), .port = port, .path = {}});
}

asio::awaitable<void> Server::Impl::accept(tcp::acceptor& acceptor) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      log(LogLevel::warn, "cannot accept a connection: " + error.message());
      asio::steady_timer pause{tasks_.executor(), limits::kAcceptPause};
      co_await pause.async_wait(kAwait);
      continue;
    }
    const auto endpoint = socket.remote_endpoint(error);
    if (error) continue;  // gone again
    std::string remote = endpoint.address().to_string();
    if (auto ticket = admit(remote))
      tasks_.spawn(serve(std::move(socket), std::move(remote), std::move(ticket)));
  }
}

std::shared_ptr<Server::Impl::Ticket> Server::Impl::admit(const std::string& remote) {
  std::string block = transport::address_block(remote);
  switch (admitted_->admission.enter(block)) {
    case Admission::Verdict::admitted:
      return std::make_shared<Ticket>(admitted_, std::move(block));
    case Admission::Verdict::full:
      count(ServerCount::full);
      break;
    case Admission::Verdict::address_full:
      count(ServerCount::address_full);
      break;
    case Admission::Verdict::too_many_handshakes:
      count(ServerCount::too_many_handshakes);
      break;
    case Admission::Verdict::address_handshakes:
      count(ServerCount::address_handshakes);
      break;
  }
  log(LogLevel::debug, "refused a connection from " + remote);
  return nullptr;
}

// --- one connection
// -------------------------------------------------------------------------------------------------

asio::awaitable<void> Server::Impl::serve(tcp::socket socket, std::string remote,
                                          std::shared_ptr<Ticket> ticket) {
  error_code error;
  socket.set_option(tcp::no_delay{true}, error);
  beast::tcp_stream tcp_stream{std::move(socket)};
  tcp_stream.expires_after(
      limits_.handshake);  // for everything up to the end of the header: no trickling past it
  ByteStream stream = tls_ ? ByteStream{std::move(tcp_stream), *tls_} : ByteStream{std::move(tcp_stream)};
  if (auto* tls = stream.tls()) {
    auto [failed] = co_await tls->async_handshake(asio::ssl::stream_base::server, kAwait);
    if (failed) {
      count(failed == beast::error::timeout ? ServerCount::timed_out : ServerCount::tls_failed);
      log(LogLevel::debug, "no TLS with " + remote + ": " + failed.message());
      co_return;
    }
  }
  beast::flat_buffer buffer{limits_.header.count()};
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header.count()));
  auto [failed, size] = co_await http::async_read_header(stream, buffer, parser, kAwait);
  if (failed == beast::error::timeout) {
    count(ServerCount::timed_out);
    co_return;
  }
  if (failed) {
    count(ServerCount::bad_request);
    const bool too_large = failed == http::error::header_limit || failed == http::error::buffer_overflow;
    const bool is_http = failed.category() == http::make_error_code(http::error::bad_method).category();
    if (!is_http || failed == http::error::end_of_stream) co_return;  // gone
    transport::HttpResponse complaint =
        too_large ? plain_text(http::status::request_header_fields_too_large, "Header too large.")
                  : plain_text(http::status::bad_request, "Not HTTP.");
    Response refusal = make_response({}, std::move(complaint));
    co_return co_await answer(stream, std::move(refusal));
  }
  ticket->handshake_ended();
  Request request = parser.release();
  const std::string_view target = request.target();
  const std::string_view path = target.substr(0, target.find('?'));
  if (beast::websocket::is_upgrade(request)) {
    if (const auto route = routes_.find(path); route != routes_.end()) {
      co_return co_await upgrade(std::move(stream), std::move(request), route->second, std::move(remote),
                                 std::move(ticket));
    }
  }
  Response response = make_response(request, respond(request, target, remote));
  count(response.result() == http::status::ok ? ServerCount::answered : ServerCount::bad_request);
  co_await answer(stream, std::move(response));
}

transport::HttpResponse Server::Impl::respond(const Request& request, std::string_view target,
                                              const std::string& remote) {
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

asio::awaitable<void> Server::Impl::answer(ByteStream& stream, Response response) {
  stream.tcp().expires_after(limits_.linger);
  auto [failed, size] = co_await http::async_write(stream, response, kAwait);
  if (failed) co_return;
  // The other side hangs up first, or the time is over: closing before it has read all would reset the
  // connection.
  co_await asio::async_initiate<decltype(kAwait), void(error_code)>(
      [&stream](auto handler) { async_teardown(beast::role_type::server, stream, std::move(handler)); },
      kAwait);
}

asio::awaitable<void> Server::Impl::upgrade(ByteStream stream, Request request, const Route& route,
                                            std::string remote, std::shared_ptr<Ticket> ticket) {
  WebSocketStream socket{std::move(stream)};
  prepare(socket, route.options, limits_.handshake);
  socket.set_option(beast::websocket::stream_base::decorator(
      [](beast::websocket::response_type& response) { response.set(http::field::server, "sluice"); }));
  auto [failed] = co_await socket.async_accept(request, kAwait);
  if (failed) {
    count(failed == beast::error::timeout ? ServerCount::timed_out : ServerCount::bad_request);
    log(LogLevel::debug, "no WebSocket with " + remote + ": " + failed.message());
    co_return;
  }
  auto core = std::make_shared<LinkCore>(std::move(socket), route.options, ticket);
  ticket->link = admitted_->links.insert(admitted_->links.end(), core);
  route.handler({.link = make_link(std::move(core)), .remote_address = std::move(remote)});
}

// --- the end
// --------------------------------------------------------------------------------------------------------

asio::awaitable<void> Server::Impl::stop(std::string reason) {
  using namespace asio::experimental::awaitable_operators;
  for (auto& acceptor : acceptors_) acceptor.close();
  tasks_.cancel();
  co_await tasks_.join();
  acceptors_.clear();
  const auto each_link = [this](auto&& act) {
    const auto links = admitted_->links;  // acting on one may take it out of the list
    for (const auto& link : links) {
      if (auto core = link.lock()) act(*core);
    }
  };
  const Error why{.code = Errc::closed, .message = reason};
  each_link([&](LinkCore& core) {
    core.close({.code = beast::websocket::close_code::going_away, .text = reason, .reason = why});
  });
  asio::steady_timer limit{tasks_.executor(), limits::kLinkCloseTimeout};
  const auto all_gone = [](Admitted& admitted) -> asio::awaitable<void> {
    while (admitted.admission.connections() > 0) co_await admitted.changed.wait();
  };
  co_await (all_gone(*admitted_) || limit.async_wait(asio::use_awaitable));
  each_link([&](LinkCore& core) { core.cut(why); });
}

// --- front
// ----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Server>> Server::create(asio::any_io_executor executor, ServerOptions options) {
  std::optional<asio::ssl::context> tls;
  std::optional<Fingerprint> fingerprint;
  if (options.tls) {
    auto context = server_context(*options.tls);
    if (!context) return fail(context.error());
    auto print = fingerprint_of(options.tls->certificate);
    if (!print) return fail(print.error());
    tls = std::move(*context);
    fingerprint = std::move(*print);
  }
  auto impl =
      std::make_unique<Impl>(std::move(executor), std::move(options), std::move(tls), std::move(fingerprint));
  return std::unique_ptr<Server>{new Server{std::move(impl)}};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

void Server::on_get(std::string path, transport::HttpHandler handler) {
  impl_->pages_.insert_or_assign(std::move(path), std::move(handler));
}

void Server::on_link(std::string path, LinkOptions options, transport::LinkHandler handler) {
  impl_->routes_.insert_or_assign(std::move(path),
                                  Impl::Route{.options = options, .handler = std::move(handler)});
}

Result<std::string> Server::listen(const ListenAddress& address) {
  return impl_->listen(address);
}
std::optional<Fingerprint> Server::fingerprint() const {
  return impl_->fingerprint();
}
asio::awaitable<void> Server::stop(std::string reason) {
  return impl_->stop(std::move(reason));
}
std::size_t Server::connections() const {
  return impl_->connections();
}
std::uint64_t Server::count(ServerCount what) const {
  return impl_->counts_[static_cast<std::size_t>(what)];
}

}  // namespace sluice::websocket
