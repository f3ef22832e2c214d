#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/site_name.hpp"

namespace sluice::transport {

/// What a request says of the server that it is for, and of the page that makes it.
struct SiteRequest {
  std::vector<std::string_view> hosts{};    ///< The values of its `Host` lines.
  std::vector<std::string_view> origins{};  ///< Of its `Origin` lines.
  /// `Sec-Fetch-Site`, `-Mode`, `-Dest` (Fetch Metadata §2), which browsers also send where they send no
  /// `Origin`.
  std::string_view fetch_site{};
  std::string_view fetch_mode{};
  std::string_view fetch_destination{};
  enum class Http : std::uint8_t { before_1_1, since_1_1 } http = Http::since_1_1;
  /// How it has come. Plain: a proxy in front may speak TLS, so an origin of either scheme may be its own.
  Origin::Scheme scheme = Origin::Scheme::http;
};

/// Decides whether a request is for this server, and whether the page that makes it belongs to it.
///
/// A browser lets any page open a WebSocket to any server (RFC 6455 §10.2), and a page whose name was made to
/// resolve to the server's address may even read its answers (DNS rebinding). Programs send no `Origin`, and
/// name the server as they reach it.
///
/// The server goes by: the addresses that it listens at; any address when it listens at all of them, since a
/// router may translate addresses, and an address cannot be rebound; `localhost` where it listens on
/// loopback; the machine's name where it listens beyond; the names in its certificate; and those of the
/// rules. A page belongs to it when its origin is the very host that it asks, at the same port or at another
/// of the server's (loopback addresses and `localhost` are one host), or a name of the rules, with its own
/// port, or that of the scheme too. A page at another name of the certificate is another's: a wildcard covers
/// servers that have nothing to do with this one.
///
/// Pure, one thread. Bounded by the rules and by `limits::kMaxListeners`.
class SitePolicy {
 public:
  explicit SitePolicy(SiteRules rules) { set_rules(std::move(rules)); }

  /// In place of those of before. What does not parse allows nothing.
  void set_rules(const SiteRules& rules);
  /// In place of those of before: the names in a certificate, with `*.` for any one label.
  void set_certificate_names(const std::vector<std::string>& names);
  /// What the machine calls itself.
  void set_machine_name(std::string_view name);
  /// A numeric address.
  struct Listener {
    std::string address;
    std::uint16_t port;
  };
  void add_listener(const Listener& listener);

  enum class Verdict : std::uint8_t {
    allowed,
    malformed,       ///< No `Host`, several of them, several `Origin`, or what is no host.
    foreign_host,    ///< The server does not go by that name.
    foreign_origin,  ///< It is made by a page of another origin.
  };
  [[nodiscard]] Verdict check(const SiteRequest& request) const;

 private:
  struct HostRule {
    SiteName name;
    enum class Covers : std::uint8_t { itself, those_below } covers = Covers::itself;
    [[nodiscard]] bool names(const SiteName& other) const;
  };
  [[nodiscard]] bool is_own(const SiteName& name) const;
  [[nodiscard]] bool goes_by(const SiteName& name) const;
  [[nodiscard]] bool belongs(std::string_view origin, const SiteName& host, Origin::Scheme scheme) const;
  /// `host`: what the request asks for, which the server goes by.
  [[nodiscard]] bool is_own_origin(const Origin& origin, const SiteName& host) const;

  std::vector<HostRule> host_rules_;
  std::vector<Origin> origin_rules_;
  std::vector<std::string>
      other_origins_;  ///< `null`, and those of browser extensions: compared as they are.
  bool any_host_ = false;
  bool any_origin_ = false;
  std::vector<std::string> certificate_names_;
  std::string machine_name_;
  std::vector<Listener> listeners_;
  bool on_loopback_ = false;
  bool beyond_loopback_ = false;
  bool everywhere_ = false;
};

}  // namespace sluice::transport
