#include "transport/websocket/server.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "core/ensure.hpp"
#include "observe/log.hpp"
#include "transport/address_block.hpp"
#include "transport/websocket/server_deadline.hpp"
#include "transport/websocket/server_impl.hpp"
#include "transport/websocket/tls.hpp"

namespace sluice::websocket {
namespace {

using asio::ip::tcp;
using observe::LogLevel;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kTurnedAway = "Too many connections; come again.\n";

void log(LogLevel level, const std::string& message) {
  observe::log(level, "websocket", message);
}

/// Lets the kernel take little more than it can send, on every connection that is accepted here: otherwise it
/// hides megabytes for a reader that is asleep, and nobody notices (measured: 4 to 7 MB each).
void keep_little_in_kernel(tcp::acceptor& acceptor) {
  const int low = static_cast<int>(limits::kNotSentLowWater.count());
  // Only a matter of memory: without it the bound on a link's own buffer still holds.
  (void)::setsockopt(acceptor.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
}

asio::awaitable<transport::HttpResponse> answer_at_once(const transport::HttpHandler& handler,
                                                        transport::HttpRequest request) {
  co_return handler(request);
}

/// What the machine calls itself; empty when it does not say.
std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : std::string{};
}

/// One function for each alternative.
template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace

Server::Impl::Impl(asio::any_io_executor executor, ServerOptions options,
                   std::optional<asio::ssl::context> tls, std::optional<Fingerprint> fingerprint)
    : tasks_(executor),
      limits_(options.limits),
      tls_(std::move(tls)),
      fingerprint_(std::move(fingerprint)),
      admitted_(std::make_shared<Admitted>(options.limits.admission, executor)),
      proxies_(std::move(options.proxies)) {
  if (!options.site) return;
  site_.emplace(*options.site);
  site_->set_machine_name(machine_name());
  if (options.tls) {
    // Whoever read its fingerprint could read it.
    if (const auto names = certificate_names(options.tls->certificate)) site_->set_certificate_names(*names);
  }
}

Result<std::string> Server::Impl::listen(const ListenAddress& address) {
  error_code error;
  const auto ip =
      asio::ip::make_address(address.address == "localhost" ? "127.0.0.1" : address.address, error);
  if (!tls_ && !error && !ip.is_loopback()) {
    return fail(Errc::permission_denied,
                "Plain HTTP is served on loopback only, not at " +
                    authority({.scheme = {}, .host = address.address, .port = address.port, .path = {}}) +
                    ": give a certificate (--tls-cert and --tls-key, or --dev-cert DIR) to listen there.");
  }
  return listen(address, tls_ ? Carrier::tls : Carrier::plain);
}

Result<std::string> Server::Impl::listen(const ListenAddress& address, Carrier carrier) {
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
  if (listeners_.size() >= limits::kMaxListeners)
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
  if (site_) site_->add_listener({.address = ip.to_string(), .port = port});
  listeners_.push_back({.acceptor = std::move(acceptor), .carrier = carrier});
  tasks_.spawn(accept(listeners_.back()));
  return (carrier == Carrier::tls ? "wss://" : "ws://") +
         authority({.scheme = {}, .host = ip.to_string(), .port = port, .path = {}});
}

asio::awaitable<void> Server::Impl::accept(Listener& listener) {
  for (;;) {
    auto [error, socket] = co_await listener.acceptor.async_accept(kAwait);
    if (!listener.acceptor.is_open()) co_return;
    if (error) {
      on_accept_failed(listener, error);
      asio::steady_timer pause{tasks_.executor(), limits::kAcceptPause};
      co_await pause.async_wait(kAwait);
      if (!listener.acceptor.is_open()) co_return;
      continue;
    }
    const auto endpoint = socket.remote_endpoint(error);
    if (error) continue;  // gone again
    std::string remote = endpoint.address().to_string();
    if (auto ticket = admit(endpoint.address())) {
      Arrival arrival{.socket = std::move(socket), .remote = std::move(remote), .carrier = listener.carrier};
      tasks_.spawn(serve(std::move(arrival), std::move(ticket)));
    } else {
      turn_away(socket, listener.carrier);
    }
  }
}

std::chrono::seconds Server::Impl::retry_after() {
  const auto& [least, most] =
      std::minmax(limits_.admission.retry_after_min, limits_.admission.retry_after_max);
  constexpr std::chrono::seconds kSecond{1};
  return least + (turned_away_ += kSecond) % (most - least + kSecond);
}

/// Without a look at what it asks, so that it costs next to nothing. It may not be heard: whoever is still
/// sending when the socket is closed is told so by a reset. Under TLS it would take a handshake, and is not
/// said.
void Server::Impl::turn_away(tcp::socket& socket, Carrier carrier) {
  if (carrier == Carrier::tls) return;
  const std::string answer = fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {}\r\nContent-Type: text/plain\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
      retry_after().count(), kTurnedAway.size(), kTurnedAway);
  error_code ignored;
  socket.non_blocking(true, ignored);
  (void)socket.send(asio::buffer(answer), 0, ignored);
}

/// Without a descriptor nothing can be accepted, and nothing be said to those that wait. One that has its
/// answer, or else one that shakes hands, gives its descriptor up, and with the spare one some are told by
/// their connection's end.
void Server::Impl::on_accept_failed(Listener& listener, const error_code& error) {
  const bool is_out = error == asio::error::no_descriptors || error == error_code{ENFILE, error.category()};
  if (const auto times = troubles_.note(error.message(), Clock::now())) {
    log(LogLevel::warn,
        fmt::format("cannot accept a connection: {} ({} times since this was said last){}", error.message(),
                    *times,
                    is_out ? "; raise the limit of open files, or lower listen.max_connections" : ""));
  }
  if (!is_out) return;
  if (const auto gone = admitted_->admission.make_way()) end_for_newcomer(*gone);
  counts_[static_cast<std::size_t>(ServerCount::no_descriptor)] +=
      listener.spare.close_some(listener.acceptor.native_handle(), limits::kClosedPerPause);
}

void Server::Impl::end_for_newcomer(Admission::Id id) {
  const auto ticket = admitted_->tickets.find(id);
  const bool is_answered = ticket != admitted_->tickets.end() && ticket->second->is_answered;
  if (!is_answered) count(ServerCount::gave_way);  // the other one has lost nothing
  if (ticket != admitted_->tickets.end()) ticket->second->give_way();
}

/// Once in a while for each kind and network, so that an operator sees who is rejected and an attacker does
/// not fill the disk. An IPv6 /48 is one: its owner has 65,536 /64s to come from.
void Server::Impl::log_refusal(std::string_view kind, const std::string& address) {
  const std::string from = transport::address_blocks(address).wide;
  if (const auto times = refusals_.note(fmt::format("{} {}", kind, from), Clock::now())) {
    const std::uint64_t others = refusals_.take_others();
    log(LogLevel::warn,
        fmt::format("rejected connections from {}: {} ({} since this was said last){}", from, kind, *times,
                    others == 0 ? "" : fmt::format("; and {} of other kinds or addresses", others)));
  }
}

AdmissionSource Server::Impl::source_of(const asio::ip::address& remote) const {
  const std::string address = remote.to_string();
  const bool is_local =
      remote.is_loopback() && limits_.admission.loopback == AdmissionLimits::Loopback::unlimited;
  const bool is_free = is_local || proxies_.trusted.contains(address);
  return {.blocks = transport::address_blocks(address),
          .share = is_free ? AdmissionSource::Share::exempt : AdmissionSource::Share::counted};
}

std::shared_ptr<Server::Impl::Ticket> Server::Impl::admit(const asio::ip::address& remote) {
  const Admission::Id id = ++admitted_->last;
  const auto decision = admitted_->admission.enter(id, source_of(remote), Clock::now());
  for (const Admission::Id gone : decision.give_way) end_for_newcomer(gone);
  if (decision.verdict == Admission::Verdict::admitted) return std::make_shared<Ticket>(admitted_, id);
  count(count_of(decision.verdict));
  log_refusal(name_of(decision.verdict), remote.to_string());
  return nullptr;
}

void Server::Impl::count_end(Visit& visit, const Deadline& deadline, ServerCount otherwise) {
  if (visit.ticket->gave_way) return turn_away(visit.stream.socket(), visit.carrier);
  count(deadline.passed() ? ServerCount::timed_out : otherwise);
}

void Server::Impl::set_admission(const AdmissionLimits& limits) {
  limits_.admission = limits;
  admitted_->admission.set_limits(limits);
}

Status Server::Impl::reload_tls(const PemFiles& files) {
  ENSURE(tls_.has_value());
  auto context = server_context(files);
  if (!context) return fail(std::move(context.error()));
  auto fingerprint = fingerprint_of(files.certificate);
  if (!fingerprint) return fail(std::move(fingerprint.error()));
  auto names = certificate_names(files.certificate);
  if (!names) return fail(std::move(names.error()));
  tls_ = std::move(*context);  // OpenSSL keeps what connections have of the old one
  fingerprint_ = std::move(*fingerprint);
  if (site_) site_->set_certificate_names(*names);
  return {};
}

void Server::Impl::set_site_rules(const transport::SiteRules& rules) {
  ENSURE(site_.has_value());
  site_->set_rules(rules);
}

void Server::Impl::set_pings(std::string_view path, Pings pings) {
  const auto found = routes_.find(path);
  ENSURE(found != routes_.end() && std::holds_alternative<SocketRoute>(found->second));
  // In their places: upgrades that wait refer to what stands beside them.
  SocketOptions& options = std::get<SocketRoute>(found->second).options;
  options.ping = pings.interval;
  options.missed_pings = pings.misses;
}

asio::awaitable<void> Server::Impl::stop(std::string reason) {
  using namespace asio::experimental::awaitable_operators;
  for (Listener& listener : listeners_) listener.acceptor.close();
  tasks_.cancel();
  co_await tasks_.join();
  listeners_.clear();
  const auto each = [this](auto&& act) {
    const auto open = admitted_->open;  // acting on one may take it out of the list
    for (const Open& one : open) {
      std::visit(
          [&](const auto& weak) {
            if (auto core = weak.lock()) act(*core);
          },
          one);
    }
  };
  const Error why{.code = Errc::closed, .message = reason};
  each(Overloaded{
      [&](LinkCore& core) {
        core.close({.code = beast::websocket::close_code::going_away, .text = reason, .reason = why});
      },
      [&](Connection& connection) { connection.close({.code = close_code::kGoingAway, .text = reason}); }});
  asio::steady_timer limit{tasks_.executor(), limits_.stop};
  const auto all_gone = [](Admitted& admitted) -> asio::awaitable<void> {
    while (!admitted.tickets.empty()) co_await admitted.changed.wait();
  };
  co_await (all_gone(*admitted_) || limit.async_wait(asio::use_awaitable));
  each([&](auto& core) { core.cut(why); });
}

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
  on_page(std::move(path), {}, [handler = std::move(handler)](transport::HttpRequest request) {
    return answer_at_once(handler, std::move(request));
  });
}

void Server::on_page(std::string path, PageOptions options, AsyncHttpHandler handler) {
  impl_->pages_.add(std::move(path), {.options = std::move(options), .handler = std::move(handler)});
}

void Server::on_link(std::string path, LinkOptions options, transport::LinkHandler handler) {
  impl_->routes_.insert_or_assign(std::move(path),
                                  Impl::LinkRoute{.options = options, .handler = std::move(handler)});
}

void Server::on_socket(std::string path, SocketOptions options, transport::SocketHandler handler) {
  std::vector<SocketShard> here{{.executor = impl_->executor(), .handler = std::move(handler)}};
  on_socket(std::move(path), std::move(options), std::move(here));
}

void Server::on_socket(std::string path, SocketOptions options, std::vector<SocketShard> shards) {
  ENSURE(!shards.empty());
  Impl::SocketRoute route{.options = std::move(options), .destinations = {}};
  for (SocketShard& shard : shards) {
    auto destination = std::make_shared<Impl::Destination>();
    destination->shard = std::move(shard);
    route.destinations.push_back(std::move(destination));
  }
  impl_->routes_.insert_or_assign(std::move(path), std::move(route));
}

Result<std::string> Server::listen(const ListenAddress& address) {
  return impl_->listen(address);
}
Result<std::string> Server::listen_plain(const ListenAddress& address) {
  return impl_->listen(address, Impl::Carrier::plain);
}
void Server::set_admission(const AdmissionLimits& limits) {
  impl_->set_admission(limits);
}
Status Server::reload_tls(const PemFiles& files) {
  return impl_->reload_tls(files);
}
void Server::set_site_rules(const transport::SiteRules& rules) {
  impl_->set_site_rules(rules);
}
void Server::set_pings(std::string_view path, Pings pings) {
  impl_->set_pings(path, pings);
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
bool Server::is_full() const {
  return impl_->is_full();
}
std::uint64_t Server::count(ServerCount what) const {
  return impl_->counts_[static_cast<std::size_t>(what)];
}

}  // namespace sluice::websocket
