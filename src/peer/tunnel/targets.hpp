#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

/// A service that a host exposes, over TCP or at a Unix socket.
struct Target {
  std::string name;  ///< What clients ask for.
  std::string host;  ///< A name or a numeric address, without brackets.
  std::uint16_t port = 0;
  std::string path{};  ///< Of a Unix socket, instead of both.
};

/// What clients may reach, and nothing else: default deny.
///
/// Pure. The first target is the one that an empty name means.
class Targets {
 public:
  Targets() = default;  ///< None: everything is refused.
  /// Errors: `invalid_argument` for a name that CONNECT cannot carry, that stands there twice, for port 0, or
  /// for a path that no Unix socket can have.
  [[nodiscard]] static Result<Targets> make(std::vector<Target> targets);

  struct Refusal {
    wire::CloseReason reason;
    std::string text;
  };
  /// The target of that name. Lives as long as this.
  [[nodiscard]] std::expected<const Target*, Refusal> find(std::string_view name) const;

  [[nodiscard]] const std::vector<Target>& all() const { return targets_; }

 private:
  std::vector<Target> targets_;
};

/// Why a dial failed, as a client may know it: its own name for the target, and what the reason means. No
/// address, no resolved name, no error of the system's.
[[nodiscard]] std::string told_of(std::string_view target, wire::CloseReason reason);

}  // namespace sluice::tunnel
