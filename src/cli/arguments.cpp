#include "cli/arguments.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/asio/ip/address_v6.hpp>
#include <boost/system/error_code.hpp>
#include <fmt/format.h>

namespace sluice::cli {
namespace {

constexpr std::string_view kLoopback = "127.0.0.1";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Where the host part of `HOST:rest` ends: behind the bracket of an IPv6 address, else at the first colon.
std::size_t end_of_host(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    return bracket == std::string_view::npos ? bracket : bracket + 1;
  }
  return text.find(':');
}

constexpr std::string_view kUnix = "unix:";
constexpr std::uint16_t kStunPort = 3478;  // RFC 8489 §18.6, and TURN's: RFC 8656 §3

/// Whether a host's text can be one: a bracket that is open is a mistyped IPv6 address, and what looks blank
/// is nothing that a name server is to be asked.
bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    boost::system::error_code wrong;
    if (host.size() < 3 || !host.ends_with(']')) return false;
    (void)boost::asio::ip::make_address_v6(std::string{host.substr(1, host.size() - 2)}, wrong);
    return !wrong;
  }
  return !host.empty() && std::ranges::none_of(host, [](char c) {
    return c <= ' ' || c == '\x7F' || c == '[' || c == ']' || c == '/' || c == '@' || c == '?';
  });
}

std::string without_brackets(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string{host};
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port) {
  const std::size_t end = end_of_host(text);
  const std::string_view host = text.substr(0, std::min(end, text.size()));
  std::optional<std::uint16_t> port = default_port;
  if (end != std::string_view::npos && end < text.size()) {
    port = text[end] == ':' ? parse_port(text.substr(end + 1)) : std::nullopt;
  }
  if (!is_host(host) || !port) {
    return fail(
        Errc::invalid_argument,
        fmt::format("'{}' is not HOST:PORT with a port from 0 to 65535 (IPv6 addresses go in brackets, as in "
                    "[::1]:22)",
                    text));
  }
  return HostPort{.host = without_brackets(host), .port = *port};
}

Result<TargetArgument> parse_target(std::string_view text) {
  TargetArgument target;
  std::string_view address = text;
  if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
    target.name = text.substr(0, equals);
    address = text.substr(equals + 1);
    if (target.name.empty()) {
      return fail(Errc::invalid_argument, fmt::format("'{}' has no name before the '='", text));
    }
  }
  if (address.starts_with(kUnix)) {
    target.path = address.substr(kUnix.size());
    if (!target.path.empty()) return target;
  } else if (is_number(address)) {
    const auto port = parse_port(address);
    if (port) target.address = {.host = std::string{kLoopback}, .port = *port};
  } else if (auto parsed = parse_host_port(address)) {
    target.address = std::move(*parsed);
  }
  if (target.address.port == 0) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is not a target: write [NAME=]HOST:PORT, as in ssh=127.0.0.1:22, or "
                            "[NAME=]unix:/path",
                            text));
  }
  return target;
}

Result<ListenArgument> parse_listen(std::string_view text) {
  // PORT, PORT:TARGET or BIND:PORT[:TARGET]: what stands before the first colon is a port exactly when it is
  // a number.
  const auto malformed = [text] {
    return fail(
        Errc::invalid_argument,
        fmt::format("'{}' is not a place to listen: write [BIND:]PORT[:TARGET], as in 2222, 8080:web or "
                    "127.0.0.1:8080:web, or unix:/path[:TARGET]",
                    text));
  };
  ListenArgument listen{.bind = {.host = std::string{kLoopback}}, .target = {}};
  std::string_view rest = text;
  if (rest.starts_with(kUnix)) {
    rest.remove_prefix(kUnix.size());
    // A target's name holds no slash where a path has another folder.
    const std::size_t colon = rest.rfind(':');
    const bool named = colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos;
    listen.path = rest.substr(0, named ? colon : rest.size());
    if (named) listen.target = rest.substr(colon + 1);
    if (listen.path.empty()) return malformed();
    return listen;
  }
  const std::size_t end = end_of_host(rest);
  if (const std::string_view first = rest.substr(0, std::min(end, rest.size())); !is_number(first)) {
    if (end == std::string_view::npos || end >= rest.size() || rest[end] != ':' || !is_host(first))
      return malformed();
    listen.bind.host = without_brackets(first);
    rest = rest.substr(end + 1);
  }
  const std::size_t colon = rest.find(':');
  const auto port = parse_port(rest.substr(0, std::min(colon, rest.size())));
  if (!port) return malformed();
  listen.bind.port = *port;
  if (colon != std::string_view::npos) listen.target = rest.substr(colon + 1);
  return listen;
}

Result<TurnArgument> parse_turn(std::string_view text) {
  const auto malformed = [text] {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is not a TURN server: write turn:USER:PASSWORD@HOST:PORT", text));
  };
  constexpr std::string_view kScheme = "turn:";
  constexpr std::string_view kTcp = "?transport=tcp";
  constexpr std::string_view kUdp = "?transport=udp";
  std::string_view rest = text;
  if (!rest.starts_with(kScheme)) return malformed();
  rest.remove_prefix(kScheme.size());
  TurnArgument turn;
  if (rest.ends_with(kTcp)) {
    turn.tcp = true;
    rest.remove_suffix(kTcp.size());
  } else if (rest.ends_with(kUdp)) {
    rest.remove_suffix(kUdp.size());
  }
  const std::size_t at = rest.rfind('@');
  const std::size_t colon = rest.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon > at || colon == 0)
    return malformed();
  turn.user = rest.substr(0, colon);
  turn.password = rest.substr(colon + 1, at - colon - 1);
  auto server = parse_host_port(rest.substr(at + 1), kStunPort);
  if (!server || server->port == 0) return malformed();
  turn.server = std::move(*server);
  return turn;
}

Result<HostPort> parse_stun(std::string_view text) {
  constexpr std::string_view kScheme = "stun:";
  std::string_view rest = text;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  auto server = parse_host_port(rest, kStunPort);
  if (server && server->port != 0) return server;
  return fail(
      Errc::invalid_argument,
      fmt::format("'{}' is not a STUN server: write HOST, HOST:PORT or stun:HOST:PORT (IPv6 addresses go in "
                  "brackets, as in [::1]:3478)",
                  text));
}

Result<Duration> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    Duration length;
  };
  constexpr std::array kUnits{Unit{"ms", std::chrono::milliseconds{1}}, Unit{"s", std::chrono::seconds{1}},
                              Unit{"m", std::chrono::minutes{1}}, Unit{"h", std::chrono::hours{1}}};
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit{rest, static_cast<std::size_t>(end - rest)};
  const auto known = std::ranges::find(kUnits, unit, &Unit::name);
  const bool fits = error == std::errc{} && known != kUnits.end() && number >= 0 &&
                    number * static_cast<double>(known->length.count()) <=
                        static_cast<double>(Duration{std::chrono::hours{24}}.count());
  if (!fits)
    return fail(Errc::invalid_argument, fmt::format("'{}' is no time: write it as 500ms, 5s or 2m", text));
  return Duration{static_cast<Duration::rep>(number * static_cast<double>(known->length.count()))};
}

Result<double> parse_share(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const bool percent = error == std::errc{} && rest != end && *rest == '%' && rest + 1 == end;
  if (percent) number /= 100;
  if (error != std::errc{} || !(percent || rest == end) || !(number >= 0 && number <= 1))
    return fail(Errc::invalid_argument, fmt::format("'{}' is no part of the whole: write 30% or 0.3", text));
  return number;
}

bool looks_like_code(std::string_view text, CodeGiven given) {
  const std::size_t colon = text.find(':');
  if (given == CodeGiven::elsewhere && colon != std::string_view::npos) return false;
  const std::string_view head = text.substr(0, colon);
  return head.find('-') != std::string_view::npos &&
         std::ranges::any_of(head, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

}  // namespace sluice::cli
