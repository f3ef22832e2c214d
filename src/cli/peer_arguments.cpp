#include "cli/peer_arguments.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "cli/arguments.hpp"
#include "core/tunnel_limits.hpp"
#include "hub/config/units.hpp"

namespace sluice::cli {

void add_peer_options(CLI::App& command, PeerArguments& arguments) {
  command.add_option("--hub", arguments.hub, "The hub where both sides meet")
      ->envname("SLUICE_HUB")
      ->capture_default_str();
  command.add_option("--hub-pin", arguments.hub_pin, "Accept only the hub with this certificate, sha256:...");
  command
      .add_option("--key", arguments.key,
                  "A key file from `sluice keygen`, the same on both sides; replaces codes")
      ->option_text("FILE");
  command.add_option("--stun", arguments.stun, "A STUN server, HOST[:PORT], to learn addresses behind NAT");
  command.add_option("--turn", arguments.turn,
                     "A relay for when there is no direct path, turn:USER:PASSWORD@HOST:PORT");
  command.add_flag("--relay-only", arguments.relay_only,
                   "Use relays alone: the peer learns no address of this machine");
  command
      .add_option("--memory-limit", arguments.memory_limit,
                  "What may wait in the tunnel, all peers together; at it new connections are rejected")
      ->option_text(fmt::format("SIZE [{}]", arguments.memory_limit));
  command.add_flag("--no-fast-path", arguments.no_fast_path, "Send everything through the ICE library");
}

Result<api::PeerOptions> peer_options(const PeerArguments& arguments) {
  auto hub = api::parse_hub(arguments.hub, arguments.hub_pin);
  if (!hub) return fail(std::move(hub.error()));
  api::PeerOptions options{.hub = std::move(*hub), .ice = {}};
  if (!arguments.stun.empty()) {
    auto server = parse_stun(arguments.stun);
    if (!server) return fail(std::move(server.error()));
    options.ice.stun = webrtc::StunServer{.host = server->host, .port = server->port};
  }
  for (const std::string& text : arguments.turn) {
    auto turn = parse_turn(text);
    if (!turn) return fail(std::move(turn.error()));
    options.ice.turn.push_back(
        {.host = turn->server.host,
         .port = turn->server.port,
         .user = turn->user,
         .password = turn->password,
         .transport = turn->tcp ? webrtc::TurnServer::Transport::tcp : webrtc::TurnServer::Transport::udp});
  }
  if (arguments.relay_only) {
    if (options.ice.turn.empty())
      return fail(Errc::invalid_argument, "--relay-only needs a relay: add --turn");
    options.ice.policy = webrtc::Options::IcePolicy::relay_only;
  }
  if (arguments.no_fast_path) options.ice.data_path = webrtc::Options::DataPath::plain_ice;
  return options;
}

Result<Bytes> memory_limit(const PeerArguments& arguments) {
  const auto bytes = hub::config::parse_bytes(arguments.memory_limit);
  if (!bytes) {
    return fail(Errc::invalid_argument, fmt::format("--memory-limit: '{}' is no size; write it as in 512MiB",
                                                    arguments.memory_limit));
  }
  if (*bytes < limits::kMinTunnelMemory) {
    return fail(Errc::invalid_argument,
                fmt::format("--memory-limit: {} is too little: the minimum is {}", arguments.memory_limit,
                            hub::config::to_text(limits::kMinTunnelMemory)));
  }
  return *bytes;
}

}  // namespace sluice::cli
