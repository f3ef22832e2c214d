#pragma once

#include <expected>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/limits.hpp"
#include "core/time.hpp"
#include "peer/tunnel/targets.hpp"
#include "runtime/timed_wake_up.hpp"
#include "transport/dialing/connect.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

/// Why a target was not reached, as the client is told.
struct DialFailure {
  wire::CloseReason reason;
  std::string text;
};

/// One connection to a target. A name's addresses are raced (`dialing::Connect`).
class Dial {
 public:
  explicit Dial(const boost::asio::any_io_executor& executor) : connect_(executor), wake_up_(executor) {}

  /// Bounded by `limit`, name look-up included. Once only. Cancellation throws `operation_aborted`.
  boost::asio::awaitable<std::expected<boost::asio::ip::tcp::socket, DialFailure>> connect(
      const Target& target, Duration limit = limits::kDialTimeout);

  /// Nobody wants the connection any more: `connect` and `pause_until` return at once.
  void give_up();
  [[nodiscard]] bool given_up() const { return given_up_; }
  /// For a dial that `connect` is not used for. One waiter; cancellation throws `operation_aborted`.
  boost::asio::awaitable<void> pause_until(TimePoint until) { return wake_up_.wait_until(until); }

 private:
  dialing::Connect connect_;
  runtime::TimedWakeUp wake_up_;
  bool given_up_ = false;
};

}  // namespace sluice::tunnel
