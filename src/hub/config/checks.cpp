#include "hub/config/checks.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "transport/site_name.hpp"

namespace sluice::hub::config {
namespace {

/// Notes problems at the first of some keys that was given.
class Check {
 public:
  Check(const TomlReader& reader, Problems& problems) : reader_(reader), problems_(problems) {}

  void refuse_if(bool wrong, std::initializer_list<std::string_view> keys, std::string_view what) {
    if (!wrong) return;
    const auto* const given =
        std::ranges::find_if(keys, [this](std::string_view key) { return reader_.has(key); });
    problems_.add(given == keys.end() ? Place{} : reader_.place_of(*given), std::string{what});
  }

 private:
  const TomlReader& reader_;
  Problems& problems_;
};

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`; the system says whether there is such an address.
bool is_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[' ? !host.ends_with(']') || host.size() == 2
                          : host.find(':') != std::string_view::npos)
    return false;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc{} && end == port.data() + port.size();
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]:") || address.starts_with("localhost:");
}

void check_listen(const Listen& listen, Check& check) {
  for (const std::string& address : listen.addresses) {
    check.refuse_if(!is_address(address), {"listen.addresses"},
                    fmt::format("'{}' is not ADDRESS:PORT with a port from 0 to 65535 (IPv6 addresses go in "
                                "brackets, as in [::1]:7788)",
                                address));
  }
  for (const std::string& address : listen.plain) {
    check.refuse_if(!is_address(address), {"listen.plain"},
                    fmt::format("'{}' is not ADDRESS:PORT with a port from 0 to 65535 (IPv6 addresses go in "
                                "brackets, as in [::]:8080)",
                                address));
  }
  if (const auto trusted = transport::TrustedProxies::parse(listen.trusted_proxies); !trusted)
    check.refuse_if(true, {"listen.trusted_proxies"}, trusted.error().message);
  check.refuse_if(
      listen.forwarding == transport::Forwarding::proxy_protocol && listen.trusted_proxies.empty(),
      {"listen.forwarding"},
      "the PROXY protocol is taken from `listen.trusted_proxies` alone, and there are none");
  check.refuse_if(listen.tls_cert.empty() != listen.tls_key.empty(), {"listen.tls_cert", "listen.tls_key"},
                  "`listen.tls_cert` and `listen.tls_key` go together");
  check.refuse_if(!listen.tls_cert.empty() && !listen.dev_cert.empty(), {"listen.dev_cert"},
                  "`listen.dev_cert` is instead of `listen.tls_cert`; give one of them");
}

void check_auth(const Settings& settings, Check& check) {
  const Auth& auth = settings.auth;
  const bool has_keys = !auth.verifier.keys.empty();
  check.refuse_if(auth.open && has_keys, {"auth.open"},
                  "an open hub asks for no tokens; leave `auth.open` or the keys out");
  check.refuse_if(auth.open && !std::ranges::all_of(settings.listen.addresses, is_loopback), {"auth.open"},
                  "an open hub lets everyone be anybody: it listens on loopback addresses only");
  check.refuse_if(auth.open && !settings.listen.plain.empty(), {"listen.plain", "auth.open"},
                  "an open hub lets everyone be anybody: it has no `listen.plain`; give it keys instead");
  const bool has_rules = !auth.verifier.claims.audience.empty() || !auth.verifier.claims.issuer.empty();
  check.refuse_if(has_rules && !has_keys, {"auth.audience", "auth.issuer"},
                  "there is no [[auth.key]] with which tokens could be checked");
}

/// Who may ask for the hub under which name, and from which page.
void check_sites(const Settings& settings, Check& check) {
  const std::vector<std::string>& hosts = settings.listen.hosts;
  const std::vector<std::string>& origins = settings.auth.origins;
  for (const std::string& host : hosts) {
    const auto good = transport::check_site_host(host);
    check.refuse_if(!good, {"listen.hosts"}, good ? "" : good.error().message);
  }
  for (const std::string& origin : origins) {
    const auto good = transport::check_site_origin(origin);
    check.refuse_if(!good, {"auth.origins"}, good ? "" : good.error().message);
  }
  const auto has_any = [](const std::vector<std::string>& list) {
    return std::ranges::find(list, "*") != list.end();
  };
  const bool open = settings.auth.open;
  check.refuse_if(open && has_any(hosts), {"listen.hosts"},
                  "an open hub lets everyone be anybody: name its hosts, not \"*\"");
  check.refuse_if(open && has_any(origins), {"auth.origins"},
                  "an open hub lets everyone be anybody: name the origins whose pages may use it, not \"*\"");
  check.refuse_if(hosts.size() > transport::kMaxSites, {"listen.hosts"},
                  fmt::format("there are more than {} hosts", transport::kMaxSites));
  check.refuse_if(origins.size() > transport::kMaxSites, {"auth.origins"},
                  fmt::format("there are more than {} origins", transport::kMaxSites));
}

void check_order(const Settings& settings, Check& check) {
  const flow::OutboxLimits& outbox = settings.gateway.receiver.outbox;
  check.refuse_if(outbox.marks.low >= outbox.marks.high,
                  {"backpressure.write_buffer_low_water_mark", "backpressure.write_buffer_high_water_mark"},
                  "`write_buffer_low_water_mark` is less than `write_buffer_high_water_mark`");
  check.refuse_if(outbox.marks.high > outbox.hard,
                  {"backpressure.write_buffer_high_water_mark", "backpressure.write_buffer_limit"},
                  "`write_buffer_limit` is no less than `write_buffer_high_water_mark`");
  check.refuse_if(settings.gateway.user_memory > settings.gateway.memory,
                  {"memory.user_limit", "memory.limit"},
                  "`memory.user_limit` is no more than `memory.limit`");
  check.refuse_if(settings.admission.shortest_timeout > settings.admission.request_timeout,
                  {"admission.shortest_timeout", "admission.request_timeout"},
                  "`shortest_timeout` is no more than `request_timeout`");
  check.refuse_if(settings.admission.retry_after_min > settings.admission.retry_after_max,
                  {"admission.retry_after_min", "admission.retry_after_max"},
                  "`retry_after_min` is no more than `retry_after_max`");
  check.refuse_if(settings.store.kept.max_bytes > settings.store.bound, {"store.max_bytes", "store.bound"},
                  "`store.max_bytes`, of one conversation, is no more than `store.bound`, of all");
  const bool routes_fit = std::ranges::all_of(settings.route_retention, [&settings](const Retention& kept) {
    return kept.max_bytes <= settings.store.bound;
  });
  check.refuse_if(!routes_fit, {"store.bound"}, "a route's `max_bytes` is no more than `store.bound`");
}

}  // namespace

void check(const Settings& settings, const TomlReader& reader, Problems& problems) {
  Check check{reader, problems};
  check_listen(settings.listen, check);
  check_auth(settings, check);
  check_sites(settings, check);
  check_order(settings, check);
}

}  // namespace sluice::hub::config
