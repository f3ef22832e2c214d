#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

/// Whose connection it is that a proxy passes on, by the fields that it adds to a request. Pure.
namespace sluice::transport {

/// Addresses and networks whose word about their clients is believed.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  /// Takes `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`; at most `limits::kMaxTrustedProxies`. Errors:
  /// `invalid_argument`.
  [[nodiscard]] static Result<TrustedProxies> parse(const std::vector<std::string>& texts);

  /// Of a numeric address; an IPv4-mapped one is held against IPv4's networks.
  [[nodiscard]] bool contains(std::string_view address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::string bytes;  ///< 4 or 16.
    unsigned bits;
  };
  std::vector<Network> networks_;
};

/// How a trusted proxy says whose connection it is. One way alone is believed: a proxy passes on what a
/// client has written into the fields that it does not know itself.
enum class Forwarding : std::uint8_t {
  x_forwarded_for,
  forwarded,       ///< RFC 7239.
  proxy_protocol,  ///< In front of everything, TLS included (websocket/proxy_header.hpp).
};

/// The client's numeric address by the lines of one of the two fields, in their order: the hop furthest to
/// the right that is no trusted proxy, as each proxy appends whom it was connected by and what stands further
/// left may be anybody's invention. Where a trusted proxy names nobody (`unknown`, an obfuscated name,
/// nonsense) it is that proxy itself. Nothing: no line names anybody. Requires that the request comes from a
/// trusted proxy.
[[nodiscard]] std::optional<std::string> forwarded_client(Forwarding field,
                                                          const std::vector<std::string_view>& lines,
                                                          const TrustedProxies& trusted);

}  // namespace sluice::transport
