#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace sluice::transport {

/// The host of a URL, and its port where it has one. Pure.
struct SiteName {
  std::string
      host;  ///< Lower case, without a dot at its end; an address in its shortest form, without brackets.
  std::optional<std::uint16_t> port{};
  bool is_address = false;

  bool operator==(const SiteName&) const = default;
};

/// Takes `NAME`, `ADDRESS` or `[ADDRESS]`, each with `:PORT` or without. Errors: `invalid_argument`.
[[nodiscard]] Result<SiteName> parse_site_name(std::string_view text);

/// The shortest form of a numeric address; IPv4 in IPv6 is the IPv4 address. Nothing for what is none.
[[nodiscard]] std::optional<std::string> canonical_address(std::string_view text);

/// Where a page comes from (RFC 6454): one of HTTP.
struct Origin {
  enum class Scheme : std::uint8_t { http, https };
  Scheme scheme = Scheme::http;
  SiteName name;

  [[nodiscard]] std::uint16_t port() const;  ///< Its own, or that of its scheme.
  bool operator==(const Origin&) const = default;
};

/// Nothing for what is none, and for one of another scheme.
[[nodiscard]] std::optional<Origin> parse_origin(std::string_view text);

/// Of each list below; every request is compared with all of them.
inline constexpr std::size_t kMaxSites = 64;

/// Which hosts and origins an operator allows beside what the server listens on.
struct SiteRules {
  /// `NAME`, `NAME:PORT`, `*.NAME` (any name below it), or `*`: any name at all.
  std::vector<std::string> hosts{};
  /// `SCHEME://NAME[:PORT]`, `null` (pages without an origin, such as files), or `*`: any page.
  std::vector<std::string> origins{};

  bool operator==(const SiteRules&) const = default;
};

/// Errors: `invalid_argument`; the message says what is wrong with it.
[[nodiscard]] Status check_site_host(std::string_view host);
[[nodiscard]] Status check_site_origin(std::string_view origin);

}  // namespace sluice::transport
