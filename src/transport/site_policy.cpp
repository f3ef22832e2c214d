#include "transport/site_policy.hpp"

#include <algorithm>

namespace sluice::transport {
namespace {

constexpr std::string_view kAnything = "*";
constexpr std::string_view kBelow = "*.";

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

/// The names under which a user's own machine is one and the same.
bool is_this_machine(const SiteName& name) {
  return name.host == "localhost" || (name.is_address && is_loopback(name.host));
}

bool is_below(std::string_view host, std::string_view name) {
  return host.size() > name.size() + 1 && host.ends_with(name) && host[host.size() - name.size() - 1] == '.';
}

/// RFC 6125 §6.4.3, without partial wildcards.
bool matches_certificate(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with(kBelow)) return pattern == host;
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && host.substr(dot + 1) == pattern.substr(kBelow.size());
}

/// A page of another site asks for something to show or run. A visit by a link is none: its user alone sees
/// it.
bool is_of_another_site(const SiteRequest& request) {
  if (request.fetch_site != "cross-site" && request.fetch_site != "same-site") return false;
  return request.fetch_mode != "navigate" || request.fetch_destination != "document";
}

}  // namespace

void SitePolicy::set_rules(const SiteRules& rules) {
  host_rules_.clear();
  origin_rules_.clear();
  other_origins_.clear();
  any_host_ = std::ranges::find(rules.hosts, kAnything) != rules.hosts.end();
  any_origin_ = std::ranges::find(rules.origins, kAnything) != rules.origins.end();
  for (const std::string& host : rules.hosts) {
    const bool below = host.starts_with(kBelow);
    if (auto name = parse_site_name(below ? std::string_view{host}.substr(kBelow.size()) : host)) {
      host_rules_.push_back({.name = std::move(*name),
                             .covers = below ? HostRule::Covers::those_below : HostRule::Covers::itself});
    }
  }
  for (const std::string& text : rules.origins) {
    if (auto origin = parse_origin(text)) {
      origin_rules_.push_back(std::move(*origin));
    } else {
      other_origins_.push_back(text);
    }
  }
}

void SitePolicy::set_certificate_names(const std::vector<std::string>& names) {
  certificate_names_.clear();
  for (const std::string& name : names) {
    const bool below = name.starts_with(kBelow);
    const auto parsed = parse_site_name(below ? std::string_view{name}.substr(kBelow.size()) : name);
    const auto address = canonical_address(name);
    if (address) {
      certificate_names_.push_back(*address);
    } else if (parsed) {
      certificate_names_.push_back((below ? std::string{kBelow} : std::string{}) + parsed->host);
    }
  }
}

void SitePolicy::set_machine_name(std::string_view name) {
  const auto parsed = parse_site_name(name);
  machine_name_ = parsed && !parsed->is_address ? parsed->host : std::string{};
}

void SitePolicy::add_listener(const Listener& listener) {
  const std::string address = canonical_address(listener.address).value_or(listener.address);
  const bool is_everywhere = address == "0.0.0.0" || address == "::";
  everywhere_ = everywhere_ || is_everywhere;
  on_loopback_ = on_loopback_ || is_everywhere || is_loopback(address);
  beyond_loopback_ = beyond_loopback_ || !is_loopback(address);
  listeners_.push_back({.address = address, .port = listener.port});
}

bool SitePolicy::HostRule::names(const SiteName& other) const {
  return covers == Covers::itself ? other.host == name.host : is_below(other.host, name.host);
}

bool SitePolicy::is_own(const SiteName& name) const {
  const auto matches = [&](const std::string& pattern) { return matches_certificate(pattern, name.host); };
  if (std::ranges::any_of(certificate_names_, matches)) return true;
  if (name.host == "localhost") return on_loopback_;
  if (!name.is_address) return beyond_loopback_ && !machine_name_.empty() && name.host == machine_name_;
  return (everywhere_ && is_loopback(name.host)) ||
         std::ranges::any_of(listeners_, [&](const Listener& one) { return one.address == name.host; });
}

bool SitePolicy::goes_by(const SiteName& name) const {
  if (any_host_ || is_own(name) || (name.is_address && everywhere_)) return true;
  return std::ranges::any_of(host_rules_, [&](const HostRule& rule) {
    if (!rule.names(name)) return false;
    // A URL leaves out the port of its scheme, and which scheme it has a proxy in front knows.
    const bool has_left_out = !name.port && (rule.name.port == 80 || rule.name.port == 443);
    return !rule.name.port || rule.name.port == name.port || has_left_out;
  });
}

bool SitePolicy::is_own_origin(const Origin& origin, const SiteName& host) const {
  const bool is_own_port = std::ranges::find(listeners_, origin.port(), &Listener::port) != listeners_.end();
  // That a certificate names it proves nothing: with a wildcard, or shared, it names other servers too.
  const bool is_same_host =
      origin.name.host == host.host || (is_this_machine(origin.name) && is_this_machine(host));
  if (is_own_port && is_same_host && is_own(origin.name)) return true;
  const std::uint16_t usual = Origin{.scheme = origin.scheme, .name = {}}.port();
  return std::ranges::any_of(host_rules_, [&](const HostRule& rule) {
    if (!rule.names(origin.name)) return false;
    if (rule.name.port) return rule.name.port == origin.port();
    return is_own_port || origin.port() == usual;
  });
}

bool SitePolicy::belongs(std::string_view text, const SiteName& host, Origin::Scheme scheme) const {
  if (any_origin_) return true;
  const auto origin = parse_origin(text);
  if (!origin) return std::ranges::find(other_origins_, text) != other_origins_.end();
  const bool is_listed = std::ranges::any_of(origin_rules_, [&](const Origin& rule) {
    return rule.scheme == origin->scheme && rule.name.host == origin->name.host &&
           rule.port() == origin->port();
  });
  if (is_listed) return true;
  // A page that came without TLS may be anybody's on the way.
  if (scheme == Origin::Scheme::https && origin->scheme == Origin::Scheme::http) return false;
  const std::uint16_t usual = Origin{.scheme = origin->scheme, .name = {}}.port();
  if (origin->name.host == host.host && origin->port() == host.port.value_or(usual)) return true;
  return is_own_origin(*origin, host);
}

SitePolicy::Verdict SitePolicy::check(const SiteRequest& request) const {
  if (request.hosts.size() > 1 || request.origins.size() > 1) return Verdict::malformed;
  if (request.hosts.empty()) {
    // RFC 9112 §3.2. Load balancers still ask in HTTP/1.0, which has no `Host`; browsers do not.
    const bool may_be_absent = request.http == SiteRequest::Http::before_1_1 && request.origins.empty();
    return may_be_absent ? Verdict::allowed : Verdict::malformed;
  }
  const auto host = parse_site_name(request.hosts.front());
  if (!host) return Verdict::malformed;
  if (!goes_by(*host)) return Verdict::foreign_host;
  if (!request.origins.empty()) {
    return belongs(request.origins.front(), *host, request.scheme) ? Verdict::allowed
                                                                   : Verdict::foreign_origin;
  }
  return is_of_another_site(request) && !any_origin_ ? Verdict::foreign_origin : Verdict::allowed;
}

}  // namespace sluice::transport
