#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/webrtc/data_channel.hpp"
#include "transport/webrtc/sctp.hpp"

namespace sluice::webrtc {

struct StunServer {
  std::string host;  ///< A name or an address.
  std::uint16_t port = 3478;
};

struct TurnServer {
  enum class Transport : std::uint8_t { udp, tcp };
  std::string host;
  std::uint16_t port = 3478;
  std::string user;
  std::string password;
  Transport transport = Transport::udp;
};

/// How a connection looks for its path, and how it moves bytes once it has one.
struct Options {
  enum class IcePolicy : std::uint8_t {
    all,
    relay_only,  ///< Only through TURN servers: the peer learns no address of this machine.
  };
  enum class DataPath : std::uint8_t {
    fast,       ///< Its own socket beside the ICE library's, with GSO and GRO, where that is possible.
    plain_ice,  ///< Everything through the ICE library.
  };

  std::optional<StunServer> stun;
  std::vector<TurnServer> turn;  ///< At most `limits::kMaxTurnServers`.
  IcePolicy policy = IcePolicy::all;
  DataPath data_path = DataPath::fast;
  /// Gather on these addresses only; empty: on every interface that is up, and on loopback when there is no
  /// other.
  std::vector<std::string> local_addresses;
  Duration ice_timeout = limits::kIceTimeout;          ///< From the peer's description to a path.
  Duration setup_timeout = limits::kPeerSetupTimeout;  ///< From the start to the open channel.

  /// Who creates the one channel: the offerer as a rule, others for the sake of peers that do it their way.
  enum class Opener : std::uint8_t { offerer, this_side, other_side };
  Opener opener = Opener::offerer;
  /// The channel to create, or to expect: one with another label is refused, unless this one's is empty.
  ChannelOptions channel{.label = "sluice/1", .protocol = {}};
  SctpOptions sctp;
};

}  // namespace sluice::webrtc
