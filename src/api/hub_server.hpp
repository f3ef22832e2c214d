#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/error.hpp"
#include "hub/mailbox_service.hpp"
#include "hub/service/gateway.hpp"
#include "transport/websocket/server.hpp"

namespace sluice::api {

struct HubOptions {
  /// `ADDRESS:PORT`, `[ADDRESS]:PORT`; port 0 lets the kernel choose.
  std::vector<std::string> listen = {"127.0.0.1:7788"};
  /// The same, plain wherever they are: behind a proxy that ends TLS.
  std::vector<std::string> listen_plain{};
  websocket::ProxyOptions proxies{};
  /// TLS with these, or with a development certificate in that folder; with neither: plain, on loopback only.
  std::optional<websocket::PemFiles> tls{};
  std::optional<std::filesystem::path> development_certificate{};
  std::string version{};  ///< What `/healthz` tells.
  websocket::ServerLimits server{};
  hub::MailboxLimits mailboxes{};
  /// Names under which the hub is asked, and origins whose pages may use it, beside its own.
  transport::SiteRules site{};
  /// With it clients exchange messages at `/v1/hub`.
  std::optional<hub::service::GatewayOptions> messaging{};
  /// With it the hub is administrated under `/v1/admin` by whoever has this file's token; empty: by nobody.
  std::filesystem::path admin_token_file{};
  /// With it `/metrics` is for whoever has this file's token; empty: for anybody.
  std::filesystem::path metrics_token_file{};
  /// Called when administration has changed settings that the hub does not see to by itself: its log's.
  std::function<void(const hub::config::Settings&)> on_changed = [](const hub::config::Settings&) {};
};

/// What settings say of who may connect; the rest stays.
void set_admission(websocket::AdmissionLimits& limits, const hub::config::Settings& settings);
/// The same of mailboxes.
void set_mailboxes(hub::MailboxLimits& limits, const hub::config::Settings& settings);

/// What settings say of names and pages.
[[nodiscard]] transport::SiteRules site_rules(const hub::config::Settings& settings);

/// Where a started hub can be reached.
struct HubAddresses {
  std::vector<std::string>
      urls;  ///< `ws://127.0.0.1:7788` or `wss://...`, in the order of `HubOptions::listen`.
  std::optional<websocket::Fingerprint> fingerprint;  ///< With TLS.
};

/// A whole hub: mailboxes at `/v1/mailbox`, messaging at `/v1/hub`, and its pages (hub_pages.hpp).
///
/// One shard, beside those of its messaging. Its owner starts it once, and stops it before destroying it.
class HubServer {
 public:
  HubServer(boost::asio::any_io_executor executor, HubOptions options);
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;
  ~HubServer();

  /// Errors: those of the listening (`address_in_use`, `permission_denied`, `invalid_argument`), of the
  /// certificate
  /// (`not_found`, `malformed`, `io`), those of `read_admin_token`, and `invalid_argument` for both kinds of
  /// certificate at once. After an
  /// error it is to be stopped all the same.
  [[nodiscard]] Result<HubAddresses> start();

  /// Sends clients away and closes every link with a word, within `limits::kHubDrainTimeout` and
  /// `limits::kLinkCloseTimeout`, and ends all that runs. Error: the books of its messages do not balance.
  boost::asio::awaitable<Status> stop();

  /// New settings for what can change while it runs, the admin token included. Error: as `Gateway::reload`
  /// and `read_admin_token`; nothing has changed then.
  [[nodiscard]] Status reload(hub::config::Settings settings);

  /// Reads the certificate, its key, the keys of tokens and the tokens of pages again: what of them cannot be
  /// taken up stays as it was, and is told here and in the log. A started hub also does so by itself when the
  /// certificate's or the keys' files have changed.
  std::vector<Error> reload_files();

  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t mailboxes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::api
