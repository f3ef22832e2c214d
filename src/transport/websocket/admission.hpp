#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/hub_limits.hpp"
#include "core/limits.hpp"

namespace sluice::websocket {

struct AdmissionLimits {
  std::size_t connections = limits::kMaxConnections;
  std::size_t connections_per_address = limits::kMaxConnectionsPerAddress;
  std::size_t handshakes = limits::kMaxHandshakes;  ///< Connections whose request has not been read yet.
  std::size_t handshakes_per_address = limits::kMaxHandshakesPerAddress;
  /// Whether this machine's own addresses (127.0.0.0/8, ::1) have limits of their own: from there come a
  /// proxy with everybody's connections, and load tests.
  enum class Loopback : std::uint8_t { unlimited, as_others };
  Loopback loopback = Loopback::unlimited;
  /// Those who are not let in are told to come back after these, and the seconds between, in turn.
  std::chrono::seconds retry_after_min = limits::kRetryAfterMin;
  std::chrono::seconds retry_after_max = limits::kRetryAfterMax;
};

/// Which connections a server lets in: how many there are, and how many of them still shake hands, in all and
/// from each address.
///
/// Sans-I/O. `block` is what an address counts under (transport/address_block.hpp); an empty one has no share
/// of its own and counts in the totals alone.
class Admission {
 public:
  enum class Verdict : std::uint8_t { admitted, full, address_full, too_many_handshakes, address_handshakes };

  explicit Admission(AdmissionLimits limits) : limits_(limits) {}

  [[nodiscard]] Verdict enter(const std::string& block);
  /// Its request has been read. At most once a connection, and before it leaves: one that leaves earlier has
  /// ended its handshake too.
  void handshake_ended(const std::string& block);
  void leave(const std::string& block);

  /// For those that enter from now on: who is in stays, and counts.
  void set_limits(AdmissionLimits limits) { limits_ = limits; }

  [[nodiscard]] std::size_t connections() const { return connections_; }
  [[nodiscard]] std::size_t handshakes() const { return handshakes_; }
  [[nodiscard]] std::size_t addresses() const { return per_address_.size(); }

 private:
  AdmissionLimits limits_;
  std::size_t connections_ = 0;
  std::size_t handshakes_ = 0;
  struct Share {
    std::size_t connections = 0;
    std::size_t handshakes = 0;
  };
  std::unordered_map<std::string, Share> per_address_;
};

}  // namespace sluice::websocket
