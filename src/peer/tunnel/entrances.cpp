#include "peer/tunnel/entrances.hpp"

#include <algorithm>
#include <cstring>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "observe/log.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using observe::LogLevel;
using Endpoint = StreamProtocol::endpoint;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// How often a port is looked for that is free in both families, when the kernel may choose.
constexpr int kChoices = 16;
/// Connections that one entrance takes before others have their turn.
constexpr int kAcceptsPerWake = 16;

Errc code_of(const error_code& error) {
  if (error == asio::error::address_in_use) return Errc::address_in_use;
  if (error == asio::error::access_denied) return Errc::permission_denied;
  if (error == boost::system::errc::address_not_available || error == asio::error::host_not_found ||
      error == asio::error::address_family_not_supported)
    return Errc::not_found;
  return Errc::io;
}

tcp::endpoint tcp_endpoint(const Endpoint& endpoint) {
  tcp::endpoint found;
  std::memcpy(found.data(), endpoint.data(), std::min(endpoint.size(), found.capacity()));
  return found;
}

bool is_tcp(const Endpoint& endpoint) {
  return endpoint.data()->sa_family == AF_INET || endpoint.data()->sa_family == AF_INET6;
}

Endpoint with_port(const Endpoint& endpoint, std::uint16_t port) {
  tcp::endpoint same = tcp_endpoint(endpoint);
  same.port(port);
  return same;
}

bool is_both(const std::string& name) {
  return name == "localhost" || name == "*";
}

/// Whether the machine, or this namespace, simply has no such address.
bool is_absent(const error_code& error) {
  return error == boost::system::errc::address_not_available ||
         error == asio::error::address_family_not_supported;
}

Result<std::vector<Endpoint>> addresses_of(const asio::any_io_executor& executor, const LocalPort& port) {
  const auto at = [&port](const asio::ip::address& address) -> Endpoint {
    return tcp::endpoint{address, port.port};
  };
  // RFC 6761 §6.3: not for the name server to say. Applications try ::1 first, or 127.0.0.1 alone.
  if (port.bind == "localhost")
    return std::vector{at(asio::ip::address_v4::loopback()), at(asio::ip::address_v6::loopback())};
  if (port.bind == "*") return std::vector{at(asio::ip::address_v4::any()), at(asio::ip::address_v6::any())};
  error_code error;
  tcp::resolver resolver{executor};
  const auto found = resolver.resolve(port.bind, std::to_string(port.port), tcp::resolver::passive, error);
  if (error) return fail(code_of(error), fmt::format("cannot listen on {}: {}", port.bind, error.message()));
  std::vector<Endpoint> all;
  for (const auto& entry : found) {
    const Endpoint endpoint = entry.endpoint();
    if (std::ranges::find(all, endpoint) == all.end()) all.push_back(endpoint);
  }
  return all;
}

}  // namespace

std::string text_of(const Endpoint& endpoint) {
  if (!is_tcp(endpoint)) return "a Unix socket";
  const tcp::endpoint place = tcp_endpoint(endpoint);
  return place.address().is_v6() ? fmt::format("[{}]:{}", place.address().to_string(), place.port())
                                 : fmt::format("{}:{}", place.address().to_string(), place.port());
}

Entrances::Entrances(asio::any_io_executor executor, Duration patience)
    : executor_(std::move(executor)), patience_(patience), turn_away_at_(Clock::now() + patience) {}

Entrances::~Entrances() = default;

Result<std::unique_ptr<Entrances>> Entrances::open(const asio::any_io_executor& executor,
                                                   const std::vector<LocalPort>& ports, Duration patience) {
  std::unique_ptr<Entrances> entrances{new Entrances{executor, patience}};
  for (const LocalPort& port : ports) {
    if (auto added = entrances->add(port); !added) return fail(std::move(added.error()));
  }
  return entrances;
}

Status Entrances::add(LocalPort port) {
  if (auto valid = wire::check_target(port.target); !valid) return fail(valid.error());
  Status added;
  if (!port.path.empty()) {
    added = add_path(port);
  } else if (auto addresses = addresses_of(executor_, port); addresses) {
    added = add_addresses(port, *addresses);
  } else {
    added = fail(std::move(addresses.error()));
  }
  if (added) ports_.push_back(std::move(port));
  return added;
}

Result<Entrances::Acceptor> Entrances::bind(const Endpoint& endpoint) {
  Acceptor acceptor{executor_};
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error && is_tcp(endpoint)) {
    acceptor.set_option(asio::socket_base::reuse_address{true}, error);
    // Each family has a socket of its own, so that who listens on ::1 or :: takes nobody's 0.0.0.0.
    if (!error && endpoint.data()->sa_family == AF_INET6) acceptor.set_option(asio::ip::v6_only{true}, error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(limits::kListenBacklog, error);
  }
  if (!error) acceptor.non_blocking(true, error);
  if (!error) return acceptor;
  return fail(Error{.code = is_absent(error) ? Errc::not_found : code_of(error),
                    .message = fmt::format("cannot listen on {}: {}", text_of(endpoint), error.message())});
}

Status Entrances::add_addresses(LocalPort& port, const std::vector<Endpoint>& all) {
  for (int choice = 1;; ++choice) {
    std::vector<Acceptor> opened;
    std::uint16_t number = port.port;
    Status failed = fail(Errc::not_found, fmt::format("no address is known for {}", port.bind));
    bool again = false;
    for (const Endpoint& endpoint : all) {
      auto acceptor = bind(with_port(endpoint, number));
      if (acceptor) {
        error_code ignored;
        number = tcp_endpoint(acceptor->local_endpoint(ignored)).port();
        opened.push_back(std::move(*acceptor));
        continue;
      }
      failed = fail(acceptor.error());
      const Errc code = failed.error().code;
      if (is_both(port.bind) && code == Errc::not_found) continue;  // the other family will do
      again = port.port == 0 && code == Errc::address_in_use && choice < kChoices;
      opened.clear();
      break;
    }
    if (again) continue;
    if (opened.empty()) return failed;
    for (Acceptor& acceptor : opened) {
      error_code ignored;
      port.addresses.push_back(text_of(acceptor.local_endpoint(ignored)));
      entrances_.push_back({.acceptor = std::move(acceptor),
                            .path = std::nullopt,
                            .port = ports_.size(),
                            .changed = runtime::TimedWakeUp{executor_}});
    }
    port.port = number;
    return {};
  }
}

Status Entrances::add_path(LocalPort& port) {
  if (auto valid = check_unix_path(port.path); !valid) return valid;
  auto acceptor = bind(asio::local::stream_protocol::endpoint{port.path});
  if (!acceptor) return fail(std::move(acceptor.error()));
  auto bound = BoundUnixPath::bind(acceptor->native_handle(), port.path);
  if (!bound) return fail(std::move(bound.error()));
  error_code error;
  acceptor->listen(limits::kListenBacklog, error);
  if (error)
    return fail(code_of(error), fmt::format("cannot listen on unix:{}: {}", port.path, error.message()));
  port.addresses.push_back("unix:" + port.path);
  entrances_.push_back({.acceptor = std::move(*acceptor),
                        .path = std::move(*bound),
                        .port = ports_.size(),
                        .changed = runtime::TimedWakeUp{executor_}});
  return {};
}

asio::awaitable<void> Entrances::run() {
  runtime::TaskScope tasks{executor_};
  for (Entrance& entrance : entrances_) tasks.spawn(serve(entrance));
  co_await asio::this_coro::throw_if_cancelled(false);
  try {
    co_await tasks.join();
    co_return;
  } catch (const boost::system::system_error&) {  // NOLINT(bugprone-empty-catch): handled below, by awaiting
    // Cancelled: so are those that take the connections.
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation{});
  tasks.cancel();
  co_await tasks.join();
}

asio::awaitable<void> Entrances::serve(Entrance& entrance) {
  asio::steady_timer pause{executor_};
  while (entrance.acceptor.is_open()) {
    const auto [error] = co_await entrance.acceptor.async_wait(asio::socket_base::wait_read, kAwait);
    if (!entrance.acceptor.is_open()) co_return;
    if (error == asio::error::operation_aborted) throw boost::system::system_error{error};
    if (user_ == nullptr && Clock::now() < turn_away_at_) {
      co_await entrance.changed.wait_until(turn_away_at_);
      continue;
    }
    if (accept_some(entrance)) continue;
    pause.expires_after(limits::kAcceptPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

bool Entrances::accept_some(Entrance& entrance) {
  for (int i = 0; i < kAcceptsPerWake && entrance.acceptor.is_open(); ++i) {
    const bool late = Clock::now() >= turn_away_at_;
    if (user_ == nullptr && !late) return true;  // taking the last one has ended the session
    error_code error;
    StreamSocket socket = entrance.acceptor.accept(error);
    if (error == asio::error::would_block || error == asio::error::try_again) return true;
    if (error == asio::error::connection_aborted) continue;  // it has gone again by itself
    if (error) {
      // No descriptors, no memory: the connection waits in the backlog meanwhile.
      observe::log(LogLevel::warn, "tunnel",
                   [&error] { return "cannot accept a connection: " + error.message(); });
      return false;
    }
    if (user_ != nullptr) {
      user_->take(std::move(socket), ports_[entrance.port].target);
    } else {
      turn_away(std::move(socket), entrance);
    }
  }
  return true;
}

void Entrances::turn_away(StreamSocket socket, const Entrance& entrance) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger{true, 0}, ignored);
  socket.close(ignored);
  if (std::exchange(told_, true)) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience_).count();
  observe::log(
      LogLevel::warn, "tunnel",
      fmt::format("connections to {} are reset until there is a tunnel: there has been none for {} s",
                  ports_[entrance.port].addresses.front(), seconds));
}

void Entrances::lead_to(EntranceUser& user) {
  user_ = &user;
  told_ = false;
  for (Entrance& entrance : entrances_) entrance.changed.notify();
}

void Entrances::leave(const EntranceUser& user) {
  if (user_ != &user) return;
  user_ = nullptr;
  turn_away_at_ = Clock::now() + patience_;
}

void Entrances::close() {
  user_ = nullptr;
  for (Entrance& entrance : entrances_) {
    error_code ignored;
    entrance.acceptor.close(ignored);
    entrance.path.reset();
    entrance.changed.notify();
  }
}

}  // namespace sluice::tunnel
