#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/peer_options.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

/// The options that `host` and `forward` share: the hub, the key, how to find a path.
struct PeerArguments {
  std::string hub = "ws://127.0.0.1:7788";
  std::optional<std::string> hub_pin;
  std::optional<std::string> key;
  std::string stun;
  std::vector<std::string> turn;
  bool relay_only = false;
  bool no_fast_path = false;
  std::string memory_limit = "512MiB";
};

void add_peer_options(CLI::App& command, PeerArguments& arguments);

/// Errors: `invalid_argument`, with the option that is wrong.
[[nodiscard]] Result<api::PeerOptions> peer_options(const PeerArguments& arguments);

/// What `--memory-limit` says, in the units of the hub's settings. Errors: `invalid_argument`.
[[nodiscard]] Result<Bytes> memory_limit(const PeerArguments& arguments);

}  // namespace sluice::cli
