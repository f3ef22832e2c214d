#include "api/hub_admin.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/admin_json.hpp"
#include "api/percent_text.hpp"
#include "core/hub_limits.hpp"
#include "observe/log.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using observe::LogLevel;
using transport::HttpMethod;
using transport::HttpRequest;
using transport::HttpResponse;

constexpr std::string_view kPath = "/v1/admin/*";
constexpr std::string_view kKicked = "An operator ended the connection.";

HttpResponse answer(unsigned status, const json::object& body) {
  return {.status = status, .body = json::serialize(body) + "\n"};
}

HttpResponse refusal(unsigned status, std::string_view reason, std::string_view message) {
  return answer(status, {{"reason", reason}, {"message", message}});
}

HttpResponse bad_request(std::string_view message) {
  return refusal(400, "bad_request", message);
}

HttpResponse not_found(std::string_view message) {
  return refusal(404, "not_found", message);
}

std::string_view name_of(HttpMethod method) {
  switch (method) {
    case HttpMethod::get:
      return "GET";
    case HttpMethod::post:
      return "POST";
    case HttpMethod::put:
      return "PUT";
    case HttpMethod::patch:
      return "PATCH";
    case HttpMethod::del:
      return "DELETE";
  }
  return "";
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<hub::ConnectionRef> parse_connection_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto shard = parse_number<hub::ShardId>(text.substr(0, dash));
  const auto number = parse_number<std::uint64_t>(text.substr(dash + 1));
  if (!shard || !number) return std::nullopt;
  return hub::ConnectionRef{.shard = *shard, .id = *number};
}

std::string value_of(const std::map<std::string, std::string>& query, const std::string& name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string{} : found->second;
}

/// What a client is told that is kicked; nothing for a text that it cannot be told.
std::optional<std::string> kick_message(const std::map<std::string, std::string>& query) {
  std::string message = value_of(query, "message");
  if (message.empty()) return std::string{kKicked};
  if (!wire::hub::is_label(message, limits::kMaxExplanation)) return std::nullopt;
  return message;
}

HttpResponse bad_message() {
  return bad_request(fmt::format("`message` has at most {} bytes of UTF-8, and no control characters.",
                                 limits::kMaxExplanation.count()));
}

}  // namespace

struct HubAdmin::Route {
  std::string_view name;
  enum class Subject : std::uint8_t { none, one } subject = Subject::none;
  HttpMethod method = HttpMethod::get;
  std::vector<std::string_view> parameters{};
  Answer (HubAdmin::*handler)(Call);

  [[nodiscard]] bool is_for(const std::vector<std::string>& parts) const {
    return parts.size() == (subject == Subject::one ? 4 : 3) && parts[2] == name &&
           (subject == Subject::none || !parts[3].empty());
  }
};

const std::vector<HubAdmin::Route>& HubAdmin::routes() {
  using Subject = Route::Subject;
  static const std::vector<Route> routes = {
      {.name = "status", .handler = &HubAdmin::tell_status},
      {.name = "clients", .parameters = {"user", "limit"}, .handler = &HubAdmin::list_clients},
      {.name = "clients", .subject = Subject::one, .handler = &HubAdmin::tell_client},
      {.name = "clients",
       .subject = Subject::one,
       .method = HttpMethod::del,
       .parameters = {"message"},
       .handler = &HubAdmin::kick_client},
      {.name = "users",
       .subject = Subject::one,
       .method = HttpMethod::del,
       .parameters = {"message"},
       .handler = &HubAdmin::kick_user},
      {.name = "sessions", .subject = Subject::one, .handler = &HubAdmin::tell_session},
      {.name = "settings", .handler = &HubAdmin::tell_settings},
      {.name = "settings", .method = HttpMethod::patch, .handler = &HubAdmin::change_settings}};
  return routes;
}

void HubAdmin::add_to(websocket::Server& server) {
  server.on_page(
      std::string{kPath},
      {.methods = {HttpMethod::get, HttpMethod::patch, HttpMethod::del}, .max_body = limits::kMaxAdminBody},
      [this](HttpRequest request) { return handle(std::move(request)); });
}

std::optional<HttpResponse> HubAdmin::refuse_stranger(const HttpRequest& request) {
  if (!token_)
    return not_found("This hub has no administration: `admin.token_file` is not among its settings.");
  if (token_->is_shown_by(request.authorization)) return std::nullopt;
  ++unauthorized_;
  observe::log(LogLevel::debug, "admin", "refused a request without the token",
               {{"path", request.path}, {"remote", request.remote_address}});
  HttpResponse response =
      refusal(401, "unauthenticated", "Show the hub's admin token: `Authorization: Bearer TOKEN`.");
  response.headers.push_back({.name = "WWW-Authenticate", .value = "Bearer realm=\"sluice hub\""});
  return response;
}

asio::awaitable<HttpResponse> HubAdmin::handle(HttpRequest request) {
  if (auto refused = refuse_stranger(request)) co_return std::move(*refused);
  const auto parts = path_parts(request.path);
  auto query = query_parts(request.query);
  if (!parts || !query) co_return bad_request("The path or the query does not decode.");
  std::vector<std::string_view> allowed;
  for (const Route& route : routes()) {
    if (!route.is_for(*parts)) continue;
    allowed.push_back(name_of(route.method));
    if (route.method != request.method) continue;
    for (const auto& [name, value] : *query) {
      if (std::ranges::find(route.parameters, name) == route.parameters.end())
        co_return bad_request(fmt::format("There is no parameter `{}` here.", name));
    }
    if (around_.gateway == nullptr && route.name != "status")
      co_return refusal(404, "no_messaging", "This hub carries no messages.");
    Call call{.query = std::move(*query),
              .body = std::move(request.body),
              .remote = std::move(request.remote_address)};
    if (route.subject == Route::Subject::one) call.subject = (*parts)[3];
    co_return co_await (this->*route.handler)(std::move(call));
  }
  if (allowed.empty()) co_return not_found("Nothing is here; docs/hub-observability.md lists what there is.");
  HttpResponse response =
      refusal(405, "method_not_allowed", fmt::format("This takes {}.", fmt::join(allowed, ", ")));
  response.headers.push_back({.name = "Allow", .value = fmt::format("{}", fmt::join(allowed, ", "))});
  co_return response;
}

// --- what there is to see

asio::awaitable<HttpResponse> HubAdmin::tell_status(Call) {
  const HubFigures figures = co_await around_.figures();
  co_return answer(200, status_json(figures));
}

asio::awaitable<HttpResponse> HubAdmin::list_clients(Call call) {
  std::size_t most = limits::kClientsListed;
  if (const auto limit = call.query.find("limit"); limit != call.query.end()) {
    most = parse_number<std::size_t>(limit->second).value_or(0);
    if (most < 1 || most > limits::kMaxClientsListed)
      co_return bad_request(fmt::format("`limit` is a number from 1 to {}.", limits::kMaxClientsListed));
  }
  std::optional<std::string> user;
  if (const auto named = call.query.find("user"); named != call.query.end()) user = named->second;
  const auto views = co_await around_.gateway->clients(std::move(user), most + 1);
  const flow::Watermarks marks = around_.gateway->settings().gateway.receiver.outbox.marks;
  json::array clients;
  for (std::size_t i = 0; i < std::min(most, views.size()); ++i)
    clients.push_back(client_json(views[i], marks));
  co_return answer(200, {{"clients", std::move(clients)}, {"more", views.size() > most}});
}

asio::awaitable<HttpResponse> HubAdmin::tell_client(Call call) {
  const auto ref = parse_connection_id(call.subject);
  if (!ref) co_return bad_request("A client's id is SHARD-NUMBER, as `clients` lists it.");
  const auto view = co_await around_.gateway->client(*ref);
  if (!view) co_return not_found(fmt::format("There is no client {}, or not any more.", call.subject));
  const flow::Watermarks marks = around_.gateway->settings().gateway.receiver.outbox.marks;
  co_return answer(200, client_with_history_json(*view, marks));
}

asio::awaitable<HttpResponse> HubAdmin::tell_session(Call call) {
  const auto view = co_await around_.gateway->session(call.subject);
  if (!view) {
    co_return not_found(
        "Nobody has this session, and how it ended is not known, or not any more (`session.resume_window`).");
  }
  json::object body{{"session", call.subject}, {"user", view->user}};
  if (view->connection) body["client"] = connection_id(*view->connection);
  if (view->ended) body["ended"] = ended_json(*view->ended);
  co_return answer(200, body);
}

// --- what there is to do

asio::awaitable<HttpResponse> HubAdmin::kick_client(Call call) {
  const auto ref = parse_connection_id(call.subject);
  if (!ref) co_return bad_request("A client's id is SHARD-NUMBER, as `clients` lists it.");
  auto message = kick_message(call.query);
  if (!message) co_return bad_message();
  if (!co_await around_.gateway->kick(*ref, std::move(*message)))
    co_return not_found(fmt::format("There is no client {}, or not any more.", call.subject));
  observe::log(LogLevel::info, "admin", "kicked a client",
               {{"connId", call.subject}, {"operator", call.remote}});
  co_return answer(200, {{"kicked", 1}});
}

asio::awaitable<HttpResponse> HubAdmin::kick_user(Call call) {
  auto message = kick_message(call.query);
  if (!message) co_return bad_message();
  std::string user = call.subject;
  const std::size_t kicked = co_await around_.gateway->kick_user(std::move(user), std::move(*message));
  if (kicked == 0) co_return not_found("This user has no connection.");
  observe::log(LogLevel::info, "admin", "kicked a user", {{"uid", call.subject}, {"operator", call.remote}});
  co_return answer(200, {{"kicked", kicked}});
}

asio::awaitable<HttpResponse> HubAdmin::tell_settings(Call) {
  co_return answer(200, settings_json(around_.gateway->settings()));
}

asio::awaitable<HttpResponse> HubAdmin::change_settings(Call call) {
  namespace config = hub::config;
  const config::Settings present = around_.gateway->settings();
  auto wanted = config::changed_settings(present, call.body, "settings");
  if (!wanted) co_return refusal(400, sluice::name_of(wanted.error().code), wanted.error().message);
  const std::vector<std::string> waiting = config::needs_restart(present, *wanted);
  config::Settings fresh = config::reloaded(present, std::move(*wanted));
  const std::vector<std::string> applied = config::changed_keys(present, fresh);
  if (auto taken = around_.apply(std::move(fresh)); !taken)
    co_return refusal(409, sluice::name_of(taken.error().code), describe(taken.error()));
  const std::string keys = fmt::format("{}", fmt::join(applied, ", "));
  observe::log(LogLevel::info, "admin", "changed settings", {{"keys", keys}, {"operator", call.remote}});
  co_return answer(200, {{"applied", json::array(applied.begin(), applied.end())},
                         {"needsRestart", json::array(waiting.begin(), waiting.end())}});
}

}  // namespace sluice::api
