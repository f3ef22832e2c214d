#include "api/hub_server.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <tuple>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/admin_token.hpp"
#include "api/file_watch.hpp"
#include "api/hub_pages.hpp"
#include "core/admission_limits.hpp"
#include "core/limits.hpp"
#include "hub/service/pulse.hpp"
#include "observe/log.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::api {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kMessagingPath = "/v1/hub";

websocket::Server::Pings pings_of(const hub::config::Settings& settings) {
  return {.interval = settings.gateway.heartbeat, .misses = settings.heartbeat.misses};
}

/// Of that file; none without one.
Result<std::optional<AdminToken>> admin_token(const std::filesystem::path& file) {
  if (file.empty()) return std::nullopt;
  const auto text = read_admin_token(file);
  if (!text) return fail(text.error());
  return AdminToken{*text};
}

}  // namespace

void set_admission(websocket::AdmissionLimits& limits, const hub::config::Settings& settings) {
  limits.connections = settings.listen.max_connections;
  limits.connections_per_address = settings.admission.per_address;
  limits.connections_per_network = settings.admission.per_network;
  limits.handshakes = settings.admission.handshakes;
  limits.request = {.longest = settings.admission.request_timeout,
                    .shortest = settings.admission.shortest_timeout};
  limits.retry_after_min = std::chrono::ceil<std::chrono::seconds>(settings.admission.retry_after_min);
  limits.retry_after_max = std::chrono::ceil<std::chrono::seconds>(settings.admission.retry_after_max);
}

void set_mailboxes(hub::MailboxLimits& limits, const hub::config::Settings& settings) {
  const hub::config::MailboxFigures& figures = settings.mailboxes;
  limits.mailboxes = figures.mailboxes;
  limits.mailboxes_per_address = figures.per_address;
  limits.waiters = figures.waiters;
  limits.life = figures.life;
  limits.introduction = figures.introduction;
  limits.first_message = figures.first_message;
  limits.placeless = {.longest = figures.silence,
                      .shortest = std::min<Duration>(figures.silence, limits::kShortestPatience)};
  limits.tries.burst = static_cast<int>(figures.try_burst);
  limits.tries.interval = figures.try_interval;
}

transport::SiteRules site_rules(const hub::config::Settings& settings) {
  return {.hosts = settings.listen.hosts, .origins = settings.auth.origins};
}

class HubServer::Impl {
 public:
  Impl(asio::any_io_executor executor, HubOptions options)
      : options_(std::move(options)),
        service_(executor, {.limits = options_.mailboxes, .place_buffer = limits::kMailboxPlaceBuffer},
                 hub::system_random()),
        tasks_(std::move(executor)) {}

  Result<HubAddresses> start();
  asio::awaitable<Status> stop();
  Status reload(hub::config::Settings settings);
  std::vector<Error> reload_files();
  [[nodiscard]] std::size_t connections() const { return server_ ? server_->connections() : 0; }
  [[nodiscard]] std::size_t mailboxes() const { return service_.mailboxes().size(); }

 private:
  Status create_server();
  Status create_gateway();
  Status create_pages();
  asio::awaitable<void> watch_files();
  Status reload_tls();
  Status reload_tokens();
  [[nodiscard]] std::vector<std::filesystem::path> watched_files() const;

  HubOptions options_;
  hub::MailboxService service_;
  std::unique_ptr<hub::service::Gateway> gateway_;
  std::unique_ptr<hub::service::Pulse> pulse_;
  bool draining_ = false;
  std::unique_ptr<websocket::Server> server_;
  std::unique_ptr<HubPages> pages_;
  runtime::TaskScope tasks_;
};

Status HubServer::Impl::create_server() {
  websocket::ServerOptions options{
      .limits = options_.server, .proxies = options_.proxies, .site = options_.site};
  if (options_.development_certificate) {
    if (options_.tls) {
      return fail(Errc::invalid_argument,
                  "A hub has either a certificate of its own or a development certificate, not both.");
    }
    auto files = websocket::development_certificate(*options_.development_certificate);
    if (!files) return fail(files.error());
    options_.tls = std::move(*files);
  }
  options.tls = options_.tls;
  auto server = websocket::Server::create(tasks_.executor(), std::move(options));
  if (!server) return fail(server.error());
  server_ = std::move(*server);
  server_->on_link("/v1/mailbox",
                   {.kind = websocket::MessageKind::text,
                    .max_message_size = limits::kMaxMailboxMessage,
                    .hard_buffer = limits::kMailboxPlaceBuffer},
                   [this](transport::AcceptedLink accepted) { service_.accept(std::move(accepted)); });
  return {};
}

Result<HubAddresses> HubServer::Impl::start() {
  if (options_.listen.empty()) return fail(Errc::invalid_argument, "A hub needs an address to listen at.");
  if (auto created = create_server(); !created) return fail(created.error());
  if (options_.messaging) {
    if (auto created = create_gateway(); !created) return fail(created.error());
  }
  if (auto created = create_pages(); !created) return fail(created.error());
  tasks_.spawn(service_.run());
  HubAddresses addresses{.urls = {}, .fingerprint = server_->fingerprint()};
  for (const std::string& text : options_.listen) {
    const auto address = websocket::parse_listen_address(text);
    if (!address) return fail(address.error());
    auto url = server_->listen(*address);
    if (!url) return fail(url.error());
    addresses.urls.push_back(std::move(*url));
  }
  for (const std::string& text : options_.listen_plain) {
    const auto address = websocket::parse_listen_address(text);
    if (!address) return fail(address.error());
    auto url = server_->listen_plain(*address);
    if (!url) return fail(url.error());
    addresses.urls.push_back(std::move(*url));
  }
  tasks_.spawn(watch_files());
  return addresses;
}

Status HubServer::Impl::create_gateway() {
  auto gateway = hub::service::Gateway::create(tasks_.executor(), *options_.messaging);
  if (!gateway) return fail(std::move(gateway.error()));
  gateway_ = std::move(*gateway);
  std::vector<websocket::SocketShard> shards;
  for (hub::service::Gateway::Place& place : gateway_->places())
    shards.push_back({.executor = std::move(place.executor), .handler = std::move(place.handler)});
  std::vector<asio::any_io_executor> loops;
  loops.reserve(shards.size());
  for (const websocket::SocketShard& shard : shards) loops.push_back(shard.executor);
  pulse_ = std::make_unique<hub::service::Pulse>(tasks_.executor(), std::move(loops));
  tasks_.spawn(pulse_->run());
  const websocket::Server::Pings pings = pings_of(gateway_->settings());
  using Accepts = websocket::FrameReaderOptions::Accepts;
  server_->on_socket(
      std::string{kMessagingPath},
      {.subprotocols = {{.name = std::string{wire::hub::kProtoSubprotocol}, .messages = Accepts::binary},
                        {.name = std::string{wire::hub::kJsonSubprotocol}, .messages = Accepts::text}},
       .ping = pings.interval,
       .missed_pings = pings.misses,
       .memory = gateway_->parts(),
       .busy = [this](const transport::HttpRequest& request) { return gateway_->busy(request); }},
      std::move(shards));
  return {};
}

Status HubServer::Impl::create_pages() {
  auto token = admin_token(options_.admin_token_file);
  if (!token) return fail(std::move(token.error()));
  auto metrics_token = admin_token(options_.metrics_token_file);
  if (!metrics_token) return fail(std::move(metrics_token.error()));
  const auto apply = [this](hub::config::Settings settings) {
    auto applied = reload(std::move(settings));
    if (applied) options_.on_changed(gateway_->settings());
    return applied;
  };
  pages_ = std::make_unique<HubPages>(HubPages::Surroundings{.server = *server_,
                                                             .mailboxes = service_,
                                                             .gateway = gateway_.get(),
                                                             .pulse = pulse_.get(),
                                                             .draining = draining_,
                                                             .version = options_.version,
                                                             .apply = apply});
  pages_->set_admin_token(std::move(*token));
  pages_->set_metrics_token(std::move(*metrics_token));
  return {};
}

Status HubServer::Impl::reload(hub::config::Settings settings) {
  auto token = admin_token(settings.admin.token_file);
  if (!token) return fail(std::move(token.error()));
  auto metrics_token = admin_token(settings.metrics.token_file);
  if (!metrics_token) return fail(std::move(metrics_token.error()));
  websocket::AdmissionLimits admission = options_.server.admission;
  set_admission(admission, settings);
  hub::MailboxLimits mailboxes = options_.mailboxes;
  set_mailboxes(mailboxes, settings);
  const transport::SiteRules site = site_rules(settings);
  const auto token_files = std::pair{settings.admin.token_file, settings.metrics.token_file};
  if (gateway_) {
    // Its shards hear of this before they hear of anybody who is upgraded later.
    if (auto taken = gateway_->reload(std::move(settings)); !taken) return taken;
    server_->set_pings(kMessagingPath, pings_of(gateway_->settings()));
  }
  if (server_) {
    server_->set_admission(admission);
    server_->set_site_rules(site);
  }
  service_.set_limits(mailboxes);
  std::tie(options_.admin_token_file, options_.metrics_token_file) = token_files;
  if (pages_) {  // not when the start has failed
    pages_->set_admin_token(std::move(*token));
    pages_->set_metrics_token(std::move(*metrics_token));
  }
  return {};
}

std::vector<std::filesystem::path> HubServer::Impl::watched_files() const {
  std::vector<std::filesystem::path> files;
  if (options_.tls) files.insert(files.end(), {options_.tls->certificate, options_.tls->key});
  if (gateway_) {
    for (const auto& key : gateway_->settings().auth.verifier.keys) files.push_back(key.path);
  }
  return files;
}

asio::awaitable<void> HubServer::Impl::watch_files() {
  FileWatch watch;
  asio::steady_timer timer{tasks_.executor()};
  for (;;) {
    // Looked at before they are read: what changes meanwhile is seen at the next look. Of a pair of which
    // only one is new nothing is taken, and the other one comes.
    if (watch.changed(watched_files())) (void)reload_files();
    timer.expires_after(kFileLook);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

Status HubServer::Impl::reload_tls() {
  if (!options_.tls) return {};
  const auto before = server_->fingerprint();
  if (auto taken = server_->reload_tls(*options_.tls); !taken) return taken;
  const auto now = server_->fingerprint();
  if (now != before) {
    observe::log(observe::LogLevel::info, "hub", "took up a new certificate",
                 {{"fingerprint", now ? std::string_view{*now} : std::string_view{}}});
  }
  return {};
}

Status HubServer::Impl::reload_tokens() {
  auto admin = admin_token(options_.admin_token_file);
  if (!admin) return fail(std::move(admin.error()));
  auto metrics = admin_token(options_.metrics_token_file);
  if (!metrics) return fail(std::move(metrics.error()));
  pages_->set_admin_token(std::move(*admin));
  pages_->set_metrics_token(std::move(*metrics));
  return {};
}

std::vector<Error> HubServer::Impl::reload_files() {
  std::vector<Error> problems;
  if (!pages_) return problems;  // the start has failed
  const auto note = [&problems](Status status, std::string_view kept) {
    if (status) return;
    observe::log(observe::LogLevel::error, "hub", kept, {{"why", status.error().message}});
    problems.push_back(std::move(status.error()));
  };
  note(reload_tls(), "the certificate stays as it was");
  if (gateway_) note(gateway_->reload_keys(), "the keys of tokens stay as they were");
  note(reload_tokens(), "the tokens of pages stay as they were");
  return problems;
}

asio::awaitable<Status> HubServer::Impl::stop() {
  draining_ = true;
  if (gateway_) co_await gateway_->drain();
  // A name of its own: GCC 12 destroys temporaries in a co_await expression twice (GCC bug 99576).
  std::string farewell = "the hub is shutting down";
  if (server_) co_await server_->stop(std::move(farewell));
  tasks_.cancel();
  co_await tasks_.join();
  co_return gateway_ ? gateway_->end() : Status{};
}

HubServer::HubServer(asio::any_io_executor executor, HubOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}
HubServer::~HubServer() = default;

Result<HubAddresses> HubServer::start() {
  return impl_->start();
}
asio::awaitable<Status> HubServer::stop() {
  return impl_->stop();
}
Status HubServer::reload(hub::config::Settings settings) {
  return impl_->reload(std::move(settings));
}
std::vector<Error> HubServer::reload_files() {
  return impl_->reload_files();
}
std::size_t HubServer::connections() const {
  return impl_->connections();
}
std::size_t HubServer::mailboxes() const {
  return impl_->mailboxes();
}

}  // namespace sluice::api
