#pragma once

#include <expected>
#include <string>

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

/// Connects to a target, to each of its addresses in turn. Bounded by `limit`, name look-up included.
/// Cancellation throws `operation_aborted`.
boost::asio::awaitable<std::expected<boost::asio::ip::tcp::socket, DialFailure>> dial(
    const Target& target, Duration limit = limits::kDialTimeout);

}  // namespace sluice::tunnel
