#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "api/hub_admin.hpp"
#include "api/hub_health.hpp"
#include "api/hub_metrics.hpp"
#include "hub/config/settings.hpp"
#include "hub/mailbox_service.hpp"
#include "hub/service/gateway.hpp"
#include "hub/service/pulse.hpp"
#include "transport/websocket/server.hpp"

namespace sluice::api {

/// What a hub shows over plain HTTP requests: `/healthz`, `/readyz`, `/metrics`, and administration under
/// `/v1/admin/`.
///
/// One shard, the server's; made before the server listens and kept until it has stopped.
class HubPages {
 public:
  /// All outlive it.
  struct Surroundings {
    websocket::Server& server;
    const hub::MailboxService& mailboxes;
    hub::service::Gateway* gateway;  ///< Null without messaging, as is the next.
    const hub::service::Pulse* pulse;
    const bool& draining;  ///< Whether the hub is shutting down.
    std::string version;
    /// Takes up settings that an operator has changed. Error: nothing has changed.
    std::function<Status(hub::config::Settings)> apply;
  };
  explicit HubPages(Surroundings around);
  HubPages(const HubPages&) = delete;
  HubPages& operator=(const HubPages&) = delete;
  ~HubPages() = default;

  void set_admin_token(std::optional<AdminToken> token) { admin_.set_token(std::move(token)); }
  /// Nothing: anybody may read `/metrics`.
  void set_metrics_token(std::optional<AdminToken> token) { metrics_token_ = std::move(token); }

 private:
  [[nodiscard]] HubHealth health() const;
  [[nodiscard]] HubFigures::Mailboxes mailboxes() const;
  boost::asio::awaitable<HubFigures> figures();
  boost::asio::awaitable<transport::HttpResponse> metrics(transport::HttpRequest request);

  Surroundings around_;
  HubAdmin admin_;
  std::optional<AdminToken> metrics_token_;
  std::string shown_{};  ///< The page of figures that was gathered last, at `gathered_`.
  std::optional<TimePoint> gathered_;
  bool gathering_ = false;
};

}  // namespace sluice::api
