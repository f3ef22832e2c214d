#pragma once

#include <string>

namespace sluice::transport {

/// The name under which limits count an address: IPv4 as it is, IPv6 by its /64 (one subscriber's, RFC 6177
/// §2), an IPv4-mapped IPv6 address as the IPv4 one. What is no numeric address counts as itself.
[[nodiscard]] std::string address_block(const std::string& address);

/// The blocks that one address counts under.
struct AddressBlocks {
  std::string narrow{};  ///< As `address_block`.
  /// IPv6 by its /48, which is what one site is given (RFC 6177 §2) and so what one attacker has 65,536 /64s
  /// of; the same as `narrow` for anything else.
  std::string wide{};

  bool operator==(const AddressBlocks&) const = default;
};
[[nodiscard]] AddressBlocks address_blocks(const std::string& address);

}  // namespace sluice::transport
