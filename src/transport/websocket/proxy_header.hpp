#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sluice::websocket {

/// What a proxy says in front of a connection that it passes on: the PROXY protocol, versions 1 and 2, as
/// HAProxy's "proxy-protocol.txt" has it.
struct ProxyHeader {
  std::size_t size = 0;  ///< In bytes; what follows is the client's.
  /// The client's numeric address. Empty: the proxy speaks for itself (LOCAL, a health check) or does not
  /// know (UNKNOWN, AF_UNSPEC, a Unix socket).
  std::string source{};

  bool operator==(const ProxyHeader&) const = default;
};

/// Looks for a header at the beginning of what was received. Nothing: more is needed, and all of it belongs
/// to the header. Unexpected: there is none, and why.
///
/// Pure. Reads at most `limits::kProxyHeader`; a longer one is none.
[[nodiscard]] std::expected<std::optional<ProxyHeader>, std::string_view> read_proxy_header(
    ByteView received);

}  // namespace sluice::websocket
