#include "peer/tunnel/dial.hpp"

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "runtime/wake_up.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// What the deadline cuts off; shared with handlers that may run after the dial has ended.
struct Attempt {
  explicit Attempt(const asio::any_io_executor& executor)
      : resolver(executor), looked_up(executor), socket(executor) {}
  tcp::resolver resolver;
  tcp::resolver::results_type addresses;
  boost::system::error_code error;
  runtime::WakeUp looked_up;
  tcp::socket socket;
  bool timed_out = false;
};

DialFailure failure_of(const Target& target, const boost::system::error_code& error) {
  const bool refused = error == asio::error::connection_refused;
  return {.reason = refused ? wire::CloseReason::dial_failed : wire::CloseReason::unreachable,
          .text = fmt::format("{}:{}: {}", target.host, target.port, error.message())};
}

/// A look-up runs in a thread of Asio's that nothing can interrupt: it is not waited for longer than the
/// deadline, and what it finds later goes nowhere. A numeric address needs none.
asio::awaitable<void> look_up(std::shared_ptr<Attempt> attempt, const Target& target) {
  boost::system::error_code not_numeric;
  if (const auto address = asio::ip::make_address(target.host, not_numeric); !not_numeric) {
    attempt->addresses =
        tcp::resolver::results_type::create(tcp::endpoint{address, target.port}, target.host, "");
    co_return;
  }
  attempt->resolver.async_resolve(
      target.host, std::to_string(target.port),
      [attempt](const boost::system::error_code& error, tcp::resolver::results_type addresses) {
        attempt->error = error;
        attempt->addresses = std::move(addresses);
        attempt->looked_up.notify();
      });
  co_await attempt->looked_up.wait();
}

}  // namespace

asio::awaitable<std::expected<tcp::socket, DialFailure>> dial(const Target& target, Duration limit) {
  const auto executor = co_await asio::this_coro::executor;
  const auto attempt = std::make_shared<Attempt>(executor);
  asio::steady_timer deadline{executor, limit};
  deadline.async_wait([attempt](const boost::system::error_code& error) {
    if (error) return;
    attempt->timed_out = true;
    attempt->looked_up.notify();
    boost::system::error_code ignored;
    attempt->socket.close(ignored);
  });
  co_await look_up(attempt, target);
  boost::system::error_code error = attempt->error;
  if (!error && !attempt->timed_out) {
    error = std::get<0>(co_await asio::async_connect(attempt->socket, attempt->addresses,
                                                     asio::as_tuple(asio::use_awaitable)));
  }
  if (attempt->timed_out) {
    co_return std::unexpected(
        DialFailure{.reason = wire::CloseReason::dial_timed_out,
                    .text = fmt::format("{}:{} did not answer", target.host, target.port)});
  }
  if (error == asio::error::operation_aborted) throw boost::system::system_error{error};
  if (error) co_return std::unexpected(failure_of(target, error));
  co_return std::move(attempt->socket);
}

}  // namespace sluice::tunnel
