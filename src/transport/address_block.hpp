#pragma once

#include <string>

namespace sluice::transport {

/// The name under which limits count an address: IPv4 as it is, IPv6 by its /64 (one subscriber's, RFC 6177
/// §2), an IPv4-mapped IPv6 address as the IPv4 one. What is no numeric address counts as itself.
[[nodiscard]] std::string address_block(const std::string& address);

}  // namespace sluice::transport
