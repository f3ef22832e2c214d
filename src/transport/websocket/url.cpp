#include "transport/websocket/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice::websocket {
namespace {

struct Authority {
  std::string_view host;
  std::optional<std::uint16_t> port;
};

/// Header lines and the SNI are made from this: no space, no control character, nothing beyond ASCII.
bool is_visible(char c) {
  return c > 0x20 && c < 0x7F;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<Authority> split(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, is_visible)) return std::nullopt;
  Authority found;
  std::string_view rest;
  if (text.front() == '[') {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    found.host = text.substr(1, bracket - 1);
    rest = text.substr(bracket + 1);
  } else {
    const auto colon = text.find(':');
    found.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (found.host.empty() || found.host.find_first_of("@[]/?#") != std::string_view::npos) return std::nullopt;
  if (rest.empty()) return found;
  if (rest.front() != ':') return std::nullopt;
  found.port = parse_port(rest.substr(1));
  if (!found.port) return std::nullopt;
  return found;
}

std::string quoted(std::string_view text) {
  return '"' + std::string{text} + '"';
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(Errc::invalid_argument, quoted(text) + " is not a hub's URL: " + std::string{why} +
                                            "; expected ws://HOST:PORT or wss://HOST[:PORT]");
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
  } else if (rest.starts_with("wss://")) {
    url.scheme = Url::Scheme::wss;
    rest.remove_prefix(6);
  } else {
    return wrong("it does not begin with ws:// or wss://");
  }
  const auto slash = rest.find_first_of("/?#");
  const auto found = split(rest.substr(0, slash));
  if (!found) return wrong("no host and port can be read from it");
  if (found->port == 0) return wrong("port 0 cannot be reached");
  url.host = found->host;
  url.port = found->port.value_or(url.scheme == Url::Scheme::ws ? 80 : 443);
  if (slash != std::string_view::npos) {
    const std::string_view path = rest.substr(slash);
    if (path.front() != '/' || path.contains('#') || !std::ranges::all_of(path, is_visible)) {
      return wrong("its path has characters that a path cannot have");
    }
    url.path = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  }
  return url;
}

std::string authority(const Url& url) {
  const bool ipv6 = url.host.contains(':');
  return (ipv6 ? '[' + url.host + ']' : url.host) + ':' + std::to_string(url.port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto found = split(text);
  if (!found || !found->port) {
    return fail(
        Errc::invalid_argument,
        quoted(text) + " is not an address to listen at; expected ADDRESS:PORT, for example 127.0.0.1:7788");
  }
  return ListenAddress{.address = std::string{found->host}, .port = *found->port};
}

}  // namespace sluice::websocket
