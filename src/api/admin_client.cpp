#include "api/admin_client.hpp"

#include <utility>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/limits.hpp"
#include "core/utf8.hpp"
#include "transport/websocket/http_client.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr unsigned kUnauthorized = 401;

Result<std::string> read_answer(const HubAddress& hub, websocket::HttpAnswer answer) {
  if (answer.status == 200) return std::move(answer.body);
  const auto body = wire::json::parse(answer.body, kAdminItem);
  if (!body || !body->is_object()) {
    return fail(Errc::protocol_violation,
                fmt::format("{} has no administration: it answered {} without JSON", hub.url, answer.status));
  }
  // What the hub says then is for those who write the request by hand.
  if (answer.status == kUnauthorized) {
    return fail(Errc::refused,
                fmt::format("{} does not take this admin token: it wants the one in the file that it was "
                            "started with",
                            hub.url));
  }
  const json::value* const message = body->as_object().if_contains("message");
  if (message == nullptr || !message->is_string())
    return fail(Errc::refused, fmt::format("{} answered {}", hub.url, answer.status));
  const std::string_view told = message->as_string();
  return fail(Errc::refused, std::string{utf8_prefix(told, limits::kMaxFailureText.count())});
}

}  // namespace

asio::awaitable<Result<std::string>> ask_admin(HubAddress hub, std::string token, AdminCall call) {
  websocket::HttpCall request{.method = call.method,
                              .target = "/v1/admin/" + call.path,
                              .authorization = "Bearer " + token,
                              .body = std::move(call.body)};
  if (!hub.fingerprint.empty()) request.pin = hub.fingerprint;
  auto answer = co_await websocket::fetch(hub.url, std::move(request));
  if (!answer) co_return fail(answer.error());
  co_return read_answer(hub, std::move(*answer));
}

}  // namespace sluice::api
