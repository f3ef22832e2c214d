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

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct Dial::Attempt {
  explicit Attempt(const asio::any_io_executor& executor)
      : resolver(executor), looked_up(executor), socket(executor), deadline(executor) {}

  /// A look-up runs in a thread of Asio's that nothing can interrupt: it is not waited for longer than the
  /// deadline, and what it finds later goes nowhere. A numeric address needs none.
  static asio::awaitable<void> look_up(std::shared_ptr<Attempt> attempt, const Target& target);
  void cut_off();

  enum class Cut : std::uint8_t { no, timed_out, unwanted };
  tcp::resolver resolver;
  tcp::resolver::results_type addresses;
  boost::system::error_code error;
  runtime::WakeUp looked_up;
  tcp::socket socket;
  asio::steady_timer deadline;
  Cut cut = Cut::no;
};

namespace {

DialFailure failure_of(const Target& target, const boost::system::error_code& error) {
  const bool refused = error == asio::error::connection_refused;
  return {.reason = refused ? wire::CloseReason::dial_failed : wire::CloseReason::unreachable,
          .text = fmt::format("{}:{}: {}", target.host, target.port, error.message())};
}

DialFailure cut_off_from(const Target& target) {
  return {.reason = wire::CloseReason::dial_timed_out,
          .text = fmt::format("{}:{} did not answer", target.host, target.port)};
}

}  // namespace

asio::awaitable<void> Dial::Attempt::look_up(std::shared_ptr<Attempt> attempt, const Target& target) {
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

void Dial::Attempt::cut_off() {
  looked_up.notify();
  resolver.cancel();
  boost::system::error_code ignored;
  socket.close(ignored);
}

Dial::Dial(const asio::any_io_executor& executor) : attempt_(std::make_shared<Attempt>(executor)) {}

void Dial::give_up() {
  attempt_->cut = Attempt::Cut::unwanted;
  attempt_->deadline.cancel();
  attempt_->cut_off();
}

asio::awaitable<std::expected<tcp::socket, DialFailure>> Dial::connect(const Target& target, Duration limit) {
  const auto attempt = attempt_;
  if (attempt->cut != Attempt::Cut::no) co_return std::unexpected(cut_off_from(target));
  attempt->deadline.expires_after(limit);
  attempt->deadline.async_wait([attempt](const boost::system::error_code& error) {
    if (error) return;
    attempt->cut = Attempt::Cut::timed_out;
    attempt->cut_off();
  });
  co_await Attempt::look_up(attempt, target);
  boost::system::error_code error = attempt->error;
  if (!error && attempt->cut == Attempt::Cut::no) {
    error = std::get<0>(co_await asio::async_connect(attempt->socket, attempt->addresses,
                                                     asio::as_tuple(asio::use_awaitable)));
  }
  attempt->deadline.cancel();
  if (attempt->cut != Attempt::Cut::no) co_return std::unexpected(cut_off_from(target));
  if (error == asio::error::operation_aborted) throw boost::system::system_error{error};
  if (error) co_return std::unexpected(failure_of(target, error));
  co_return std::move(attempt->socket);
}

}  // namespace sluice::tunnel
