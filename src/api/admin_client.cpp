#include "api/admin_client.hpp"

#include <utility>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "transport/websocket/http_client.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr unsigned kUnauthorized = 401;

Result<json::object> read_answer(const HubAddress& hub, const websocket::HttpAnswer& answer) {
  boost::system::error_code broken;
  json::value body = json::parse(answer.body, broken);
  if (broken || !body.is_object()) {
    return fail(Errc::protocol_violation,
                fmt::format("{} has no administration: it answered {} without JSON", hub.url, answer.status));
  }
  if (answer.status == 200) return std::move(body.as_object());
  // What the hub says then is for those who write the request by hand.
  if (answer.status == kUnauthorized) {
    return fail(Errc::refused,
                fmt::format("{} does not take this admin token: it wants the one in the file that it was "
                            "started with",
                            hub.url));
  }
  const json::value* const message = body.as_object().if_contains("message");
  if (message == nullptr || !message->is_string())
    return fail(Errc::refused, fmt::format("{} answered {}", hub.url, answer.status));
  return fail(Errc::refused, std::string{message->as_string()});
}

}  // namespace

asio::awaitable<Result<json::object>> ask_admin(HubAddress hub, std::string token, AdminCall call) {
  websocket::HttpCall request{.method = call.method,
                              .target = "/v1/admin/" + call.path,
                              .authorization = "Bearer " + token,
                              .body = std::move(call.body)};
  if (!hub.fingerprint.empty()) request.pin = hub.fingerprint;
  const auto answer = co_await websocket::fetch(hub.url, std::move(request));
  if (!answer) co_return fail(answer.error());
  co_return read_answer(hub, *answer);
}

}  // namespace sluice::api
