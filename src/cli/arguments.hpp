#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/time.hpp"

namespace sluice::cli {

/// A host name or address with a port, as a user writes it: `127.0.0.1:22`, `[::1]:22`, `db.local:5432`.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

/// What `sluice host` exposes: `[NAME=][HOST:]PORT` or `[NAME=]unix:PATH`; without a host, loopback; without
/// a name, the empty name.
struct TargetArgument {
  std::string name;
  HostPort address;
  std::string path{};  ///< Of a Unix socket, instead of the address.
};

/// What `sluice forward` listens for: `[BIND:]PORT[:TARGET]` or `unix:PATH[:TARGET]`; without a bind address,
/// loopback; port 0 lets the kernel choose; an empty target is the host's default.
struct ListenArgument {
  HostPort bind;
  std::string target;
  std::string path{};  ///< Of a Unix socket, instead of `bind`.
};

/// A TURN server with its static credentials: `turn:USER:PASSWORD@HOST[:PORT]`, with `?transport=tcp` for
/// TCP.
struct TurnArgument {
  HostPort server;
  std::string user;
  std::string password;
  bool tcp = false;
};

/// Each parser: `invalid_argument` with a sentence that shows the text and the form that it should have.
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text,
                                               std::optional<std::uint16_t> default_port = {});
[[nodiscard]] Result<TargetArgument> parse_target(std::string_view text);
[[nodiscard]] Result<ListenArgument> parse_listen(std::string_view text);
[[nodiscard]] Result<TurnArgument> parse_turn(std::string_view text);
/// `[stun:]HOST[:PORT]`, as a URI of RFC 7064 without its parameters; without a port, 3478.
[[nodiscard]] Result<HostPort> parse_stun(std::string_view text);

/// A time: `500ms`, `5s`, `2m`, `1h`; at most a day.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// A part of the whole, from 0 to 1: `30%` or `0.3`.
[[nodiscard]] Result<double> parse_share(std::string_view text);

/// Whether a code is also given in another way, or a key instead of it.
enum class CodeGiven : std::uint8_t { no, elsewhere };

/// Whether a first argument is a code (`7-goldfish-amusement-tiger`) rather than a port: codes contain a
/// hyphen and a letter before any colon. So does a host's name before a port (`my-host:2222`), hence where
/// the code comes from elsewhere nothing with a colon is one.
[[nodiscard]] bool looks_like_code(std::string_view text, CodeGiven given);

}  // namespace sluice::cli
