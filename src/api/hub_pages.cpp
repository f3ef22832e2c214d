#include "api/hub_pages.hpp"

#include <utility>

#include "observe/metrics.hpp"

namespace sluice::api {

namespace asio = boost::asio;

HubPages::HubPages(Surroundings around)
    : around_(std::move(around)),
      admin_({.gateway = around_.gateway, .figures = [this] { return figures(); }, .apply = around_.apply}) {
  around_.server.on_get("/healthz",
                        [this](const transport::HttpRequest&) { return around_.mailboxes.health(); });
  around_.server.on_page("/metrics", {}, [this](const transport::HttpRequest&) { return metrics(); });
  admin_.add_to(around_.server);
}

asio::awaitable<HubFigures> HubPages::figures() {
  HubFigures figures{
      .version = around_.version, .unauthorized = admin_.unauthorized(), .process = process_figures()};
  figures.server.connections = around_.server.connections();
  for (std::size_t i = 0; i < figures.server.ended.size(); ++i)
    figures.server.ended[i] = around_.server.count(static_cast<websocket::ServerCount>(i));
  const hub::Mailboxes& mailboxes = around_.mailboxes.mailboxes();
  figures.mailboxes = {.mailboxes = mailboxes.size(),
                       .connections = mailboxes.connections(),
                       .introductions = mailboxes.introductions()};
  for (std::size_t i = 0; i < figures.mailboxes.denied.size(); ++i)
    figures.mailboxes.denied[i] = mailboxes.denied(static_cast<hub::Denial>(i));
  if (around_.gateway != nullptr) figures.messaging = co_await around_.gateway->status();
  co_return figures;
}

asio::awaitable<transport::HttpResponse> HubPages::metrics() {
  const HubFigures now = co_await figures();
  co_return transport::HttpResponse{.content_type = std::string{observe::kPrometheusType},
                                    .body = observe::to_prometheus(metrics_of(now))};
}

}  // namespace sluice::api
