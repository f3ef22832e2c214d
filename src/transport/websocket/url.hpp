#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace sluice::websocket {

/// A WebSocket URL (RFC 6455 §3), taken apart.
struct Url {
  enum class Scheme : std::uint8_t { ws, wss };
  Scheme scheme = Scheme::ws;
  std::string host;  ///< A name or a numeric address; IPv6 without its brackets.
  std::uint16_t port = 0;
  std::string path;  ///< Begins with `/` or is empty; with the query, if any, without a trailing `/`.

  bool operator==(const Url&) const = default;
};

/// Takes `ws://HOST[:PORT][/PATH]` or `wss://...`; port 80 or 443 when none is given. Errors:
/// `invalid_argument`.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// `host:port`, with brackets around IPv6.
[[nodiscard]] std::string authority(const Url& url);

/// A local address to listen at: numeric, or `localhost`.
struct ListenAddress {
  std::string address;
  std::uint16_t port = 0;  ///< 0: the kernel chooses.
};

/// Takes `ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6. Errors: `invalid_argument`.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace sluice::websocket
