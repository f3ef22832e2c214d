#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "api/admin_token.hpp"
#include "api/hub_metrics.hpp"
#include "core/error.hpp"
#include "hub/config/settings.hpp"
#include "hub/service/gateway.hpp"
#include "transport/http.hpp"
#include "transport/websocket/server.hpp"

namespace sluice::api {

/// A running hub in the hands of its operator, over HTTP: `/v1/admin/...` (docs/hub-observability.md).
///
/// One shard, the server's. Whoever does not show the token learns nothing; without one nobody does.
class HubAdmin {
 public:
  struct Surroundings {
    hub::service::Gateway* gateway = nullptr;  ///< Null: a hub without messaging. Outlives this.
    std::function<boost::asio::awaitable<HubFigures>()> figures{};
    /// Takes up settings that are good. Error: nothing has changed.
    std::function<Status(hub::config::Settings)> apply{};
  };
  explicit HubAdmin(Surroundings around) : around_(std::move(around)) {}
  HubAdmin(const HubAdmin&) = delete;
  HubAdmin& operator=(const HubAdmin&) = delete;
  ~HubAdmin() = default;

  /// Before the server listens; outlives the server's pages.
  void add_to(websocket::Server& server);

  /// From the next request on; nothing: there is no administration.
  void set_token(std::optional<AdminToken> token) { token_ = std::move(token); }
  /// Requests without the token.
  [[nodiscard]] std::uint64_t unauthorized() const { return unauthorized_; }

 private:
  /// A request that is understood.
  struct Call {
    std::string subject{};  ///< Whom its path names; empty: nobody.
    std::map<std::string, std::string> query{};
    std::string body{};
    std::string remote{};
  };
  using Answer = boost::asio::awaitable<transport::HttpResponse>;
  struct Route;
  static const std::vector<Route>& routes();

  Answer handle(transport::HttpRequest request);
  [[nodiscard]] std::optional<transport::HttpResponse> refuse_stranger(const transport::HttpRequest& request);

  Answer tell_status(Call call);
  Answer list_clients(Call call);
  Answer tell_client(Call call);
  Answer kick_client(Call call);
  Answer kick_user(Call call);
  Answer tell_session(Call call);
  Answer tell_settings(Call call);
  Answer change_settings(Call call);

  Surroundings around_;
  std::optional<AdminToken> token_;
  std::uint64_t unauthorized_ = 0;
};

}  // namespace sluice::api
