#pragma once

#include <expected>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/limits.hpp"
#include "core/time.hpp"
#include "peer/tunnel/targets.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

/// Why a target was not reached, as the client is told.
struct DialFailure {
  wire::CloseReason reason;
  std::string text;
};

/// One attempt to connect to a target.
class Dial {
 public:
  explicit Dial(const boost::asio::any_io_executor& executor);

  /// Tries each of the target's addresses in turn. Bounded by `limit`, name look-up included. Once only.
  /// Cancellation throws `operation_aborted`.
  boost::asio::awaitable<std::expected<boost::asio::ip::tcp::socket, DialFailure>> connect(
      const Target& target, Duration limit = limits::kDialTimeout);

  /// Nobody wants the connection any more: `connect` gives up at once. A name look-up that runs cannot be
  /// stopped; it is no longer waited for.
  void give_up();

 private:
  struct Attempt;
  std::shared_ptr<Attempt> attempt_;  ///< Shared with handlers that may run after the dial has ended.
};

}  // namespace sluice::tunnel
