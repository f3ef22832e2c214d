#include "transport/site_name.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <utility>

namespace sluice::transport {
namespace {

constexpr std::size_t kLongestName = 253;  // RFC 1035 §2.3.4, as text

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

/// The characters of a registered name (RFC 3986 §3.2.2) that host names have; `_` is found in private ones.
bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
         });
}

struct Split {
  std::string_view host;
  std::optional<std::string_view> port{};
  bool in_brackets = false;
};

std::optional<Split> split(std::string_view text) {
  if (!text.starts_with('[')) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return Split{.host = text};
    return Split{.host = text.substr(0, colon), .port = text.substr(colon + 1)};
  }
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) return std::nullopt;
  Split parts{.host = text.substr(1, end - 1), .in_brackets = true};
  if (end + 1 == text.size()) return parts;
  if (text[end + 1] != ':') return std::nullopt;
  parts.port = text.substr(end + 2);
  return parts;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::string> canonical_address(std::string_view text) {
  const std::string whole{text};
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  in_addr four{};
  if (inet_pton(AF_INET, whole.c_str(), &four) == 1)
    return inet_ntop(AF_INET, &four, shortest.data(), shortest.size());
  in6_addr six{};
  if (inet_pton(AF_INET6, whole.c_str(), &six) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    std::memcpy(&four, &six.s6_addr[12], sizeof four);
    return inet_ntop(AF_INET, &four, shortest.data(), shortest.size());
  }
  return inet_ntop(AF_INET6, &six, shortest.data(), shortest.size());
}

Result<SiteName> parse_site_name(std::string_view text) {
  const auto wrong = [text] {
    return fail(Errc::invalid_argument, '"' + std::string{text} + "\" is not NAME or NAME:PORT");
  };
  const auto parts = split(text);
  if (!parts) return wrong();
  SiteName name;
  if (parts->port && !parts->port->empty()) {  // `host:` has the port of its scheme (RFC 3986 §3.2.3)
    name.port = parse_port(*parts->port);
    if (!name.port) return wrong();
  }
  if (auto address = canonical_address(parts->host)) {
    if (parts->in_brackets != (parts->host.find(':') != std::string_view::npos)) return wrong();
    name.host = std::move(*address);
    name.is_address = true;
    return name;
  }
  name.host = lower(parts->host);
  if (name.host.ends_with('.')) name.host.pop_back();
  if (parts->in_brackets || !is_host_name(name.host)) return wrong();
  return name;
}

std::uint16_t Origin::port() const {
  constexpr std::uint16_t kHttp = 80;
  constexpr std::uint16_t kHttps = 443;
  return name.port.value_or(scheme == Scheme::https ? kHttps : kHttp);
}

std::optional<Origin> parse_origin(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string scheme = lower(text.substr(0, end));
  if (scheme != "http" && scheme != "https") return std::nullopt;
  auto name = parse_site_name(text.substr(end + 3));
  if (!name) return std::nullopt;
  return Origin{.scheme = scheme == "https" ? Origin::Scheme::https : Origin::Scheme::http,
                .name = std::move(*name)};
}

Status check_site_host(std::string_view host) {
  const std::string_view name = host.starts_with("*.") ? host.substr(2) : host;
  if (host == "*" || parse_site_name(name)) return {};
  return fail(Errc::invalid_argument,
              '"' + std::string{host} + "\" is not a host: NAME, NAME:PORT, *.NAME, or * for any");
}

Status check_site_origin(std::string_view origin) {
  const std::size_t colon = origin.find("://");
  const bool is_site =
      colon != std::string_view::npos && colon > 0 && parse_site_name(origin.substr(colon + 3));
  if (origin == "*" || origin == "null" || is_site) return {};
  return fail(Errc::invalid_argument,
              '"' + std::string{origin} +
                  "\" is not an origin: SCHEME://NAME or SCHEME://NAME:PORT without a "
                  "path, null, or * for any");
}

}  // namespace sluice::transport
