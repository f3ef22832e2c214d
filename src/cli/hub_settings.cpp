#include "cli/hub_settings.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "cli/command.hpp"
#include "cli/version.hpp"
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
  if (arguments.open) settings.auth = {.open = true};
  if (arguments.data) settings.store.folder = *arguments.data;
  if (arguments.admin_token_file) settings.admin.token_file = *arguments.admin_token_file;
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
  api::set_admission(options.server.admission, settings);
  api::set_mailboxes(options.mailboxes, settings);
  if (carries_messages(settings))
    options.messaging = {.settings = std::move(settings), .shards = shards_for(arguments.shards)};
  return options;
}

}  // namespace sluice::cli
