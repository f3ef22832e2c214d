#include "api/hub_pages.hpp"

#include <utility>

#include "observe/metrics.hpp"

namespace sluice::api {

namespace asio = boost::asio;

namespace {

/// Says that figures are being gathered, until they are or the request has been given up.
class Gathering {
 public:
  explicit Gathering(bool& now) : now_(now) { now_ = true; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  ~Gathering() { now_ = false; }

 private:
  bool& now_;
};

}  // namespace

HubPages::HubPages(Surroundings around)
    : around_(std::move(around)),
      admin_({.gateway = around_.gateway, .figures = [this] { return figures(); }, .apply = around_.apply}) {
  around_.server.on_get("/healthz", [this](const transport::HttpRequest&) { return healthz(health()); });
  around_.server.on_get("/readyz", [this](const transport::HttpRequest&) { return readyz(health()); });
  around_.server.on_page("/metrics", {},
                         [this](transport::HttpRequest request) { return metrics(std::move(request)); });
  admin_.add_to(around_.server);
}

HubFigures::Mailboxes HubPages::mailboxes() const {
  const hub::Mailboxes& now = around_.mailboxes.mailboxes();
  HubFigures::Mailboxes figures{
      .mailboxes = now.size(), .connections = now.connections(), .introductions = now.introductions()};
  for (std::size_t i = 0; i < figures.denied.size(); ++i)
    figures.denied[i] = now.denied(static_cast<hub::Denial>(i));
  return figures;
}

HubHealth HubPages::health() const {
  HubHealth health{.version = around_.version,
                   .connections = around_.server.connections(),
                   .mailboxes = mailboxes(),
                   .is_draining = around_.draining,
                   .is_full = around_.server.is_full()};
  if (around_.pulse != nullptr) health.stuck_loops = around_.pulse->stuck(Clock::now());
  if (around_.gateway != nullptr) health.store_fails = around_.gateway->store_fails();
  return health;
}

asio::awaitable<HubFigures> HubPages::figures() {
  HubFigures figures{.version = around_.version,
                     .mailboxes = mailboxes(),
                     .unauthorized = admin_.unauthorized(),
                     .process = process_figures()};
  figures.server.connections = around_.server.connections();
  for (std::size_t i = 0; i < figures.server.ended.size(); ++i)
    figures.server.ended[i] = around_.server.count(static_cast<websocket::ServerCount>(i));
  if (around_.gateway != nullptr) figures.messaging = co_await around_.gateway->status();
  co_return figures;
}

asio::awaitable<transport::HttpResponse> HubPages::metrics(transport::HttpRequest request) {
  if (metrics_token_ && !metrics_token_->is_shown_by(request.authorization)) {
    transport::HttpResponse refusal{.status = 401,
                                    .content_type = "text/plain",
                                    .body = "The figures are for those with metrics.token_file.\n"};
    refusal.headers.push_back({.name = "WWW-Authenticate", .value = "Bearer realm=\"sluice hub\""});
    co_return refusal;
  }
  const Duration max_age = around_.gateway != nullptr ? around_.gateway->settings().metrics.max_age
                                                      : hub::config::Metrics{}.max_age;
  const bool is_fresh = gathered_ && Clock::now() - *gathered_ < max_age;
  // While somebody gathers, the others are shown what there was; only at the very first there is nothing.
  if (!is_fresh && !(gathering_ && gathered_)) {
    const Gathering gathering{gathering_};
    const HubFigures now = co_await figures();
    shown_ = observe::to_prometheus(metrics_of(now));
    gathered_ = Clock::now();
  }
  co_return transport::HttpResponse{.content_type = std::string{observe::kPrometheusType}, .body = shown_};
}

}  // namespace sluice::api
