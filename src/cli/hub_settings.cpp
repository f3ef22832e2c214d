#include "cli/hub_settings.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "cli/command.hpp"
#include "cli/version.hpp"
#include "transport/site_name.hpp"
#include "transport/websocket/url.hpp"

namespace sluice::cli {
namespace {

using hub::config::Settings;

/// The most that a hub of any size gains by.
constexpr std::size_t kMaxShards = 16;

bool is_loopback(const std::string& address) {
  const auto parsed = websocket::parse_listen_address(address);
  return parsed &&
         (parsed->address.starts_with("127.") || parsed->address == "::1" || parsed->address == "localhost");
}

void apply(const HubArguments& arguments, Settings& settings) {
  if (!arguments.listen.empty()) settings.listen.addresses = arguments.listen;
  if (!arguments.tls_cert.empty() || !arguments.dev_cert.empty()) {
    settings.listen.tls_cert = arguments.tls_cert;
    settings.listen.tls_key = arguments.tls_key;
    settings.listen.dev_cert = arguments.dev_cert;
  }
  settings.listen.hosts.insert(settings.listen.hosts.end(), arguments.hosts.begin(), arguments.hosts.end());
  if (arguments.open) {  // without the file's keys, but with its pages
    std::vector<std::string> origins = std::move(settings.auth.origins);
    settings.auth = {.open = true, .origins = std::move(origins)};
  }
  settings.auth.origins.insert(settings.auth.origins.end(), arguments.origins.begin(),
                               arguments.origins.end());
  if (arguments.data) settings.store.folder = *arguments.data;
  if (arguments.admin_token_file) settings.admin.token_file = *arguments.admin_token_file;
}

/// What the file says has been checked; the command line may have added to it, `--open` above all.
Status check_sites(const Settings& settings) {
  const auto has_any = [](const std::vector<std::string>& list) {
    return std::ranges::find(list, "*") != list.end();
  };
  for (const std::string& host : settings.listen.hosts) {
    if (auto good = transport::check_site_host(host); !good) return good;
  }
  for (const std::string& origin : settings.auth.origins) {
    if (auto good = transport::check_site_origin(origin); !good) return good;
  }
  if (settings.auth.open && (has_any(settings.listen.hosts) || has_any(settings.auth.origins))) {
    return fail(
        Errc::invalid_argument,
        "an open hub lets everyone be anybody: name its hosts and the origins whose pages may use it, "
        "not \"*\"");
  }
  return {};
}

std::size_t shards_for(std::size_t asked) {
  if (asked > 0) return std::min(asked, kMaxShards);
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxShards);
}

}  // namespace

Result<Settings> hub_settings(const HubArguments& arguments) {
  if (arguments.tls_cert.empty() != arguments.tls_key.empty())
    return fail(Errc::invalid_argument, "--tls-cert and --tls-key go together");
  Settings settings;
  if (!arguments.config.empty()) {
    auto loaded = hub::config::load_settings(arguments.config);
    if (!loaded) return fail(std::move(loaded.error()));
    settings = std::move(*loaded);
  } else {
    settings.log.level = kLogLevel;  // as it is in use: whoever changes another key must not change this one
  }
  apply(arguments, settings);
  if (auto good = check_sites(settings); !good) return fail(std::move(good.error()));
  if (settings.auth.open && !std::ranges::all_of(settings.listen.addresses, is_loopback)) {
    return fail(
        Errc::invalid_argument,
        "an open hub lets everyone be anybody: it listens on loopback addresses only; elsewhere give it keys "
        "in [auth] of its settings");
  }
  if (settings.auth.open && !settings.listen.plain.empty()) {
    return fail(Errc::invalid_argument,
                "an open hub lets everyone be anybody: it has no listen.plain; give it keys in [auth] of its "
                "settings instead of --open");
  }
  return settings;
}

bool carries_messages(const Settings& settings) {
  return settings.auth.open || !settings.auth.verifier.keys.empty();
}

api::HubOptions hub_options(const HubArguments& arguments, Settings settings) {
  api::HubOptions options{.listen = settings.listen.addresses,
                          .listen_plain = settings.listen.plain,
                          .version = std::string{kVersion}};
  // The settings have been checked.
  options.proxies = {.trusted = transport::TrustedProxies::parse(settings.listen.trusted_proxies).value(),
                     .forwarding = settings.listen.forwarding};
  if (!settings.listen.tls_cert.empty())
    options.tls =
        websocket::PemFiles{.certificate = settings.listen.tls_cert, .key = settings.listen.tls_key};
  if (!settings.listen.dev_cert.empty()) options.development_certificate = settings.listen.dev_cert;
  options.admin_token_file = settings.admin.token_file;
  options.metrics_token_file = settings.metrics.token_file;
  api::set_admission(options.server.admission, settings);
  api::set_mailboxes(options.mailboxes, settings);
  options.site = api::site_rules(settings);
  if (carries_messages(settings))
    options.messaging = {.settings = std::move(settings), .shards = shards_for(arguments.shards)};
  return options;
}

}  // namespace sluice::cli
