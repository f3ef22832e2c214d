#include "api/hub_health.hpp"

#include <string_view>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace sluice::api {
namespace {

namespace json = boost::json;

constexpr unsigned kOk = 200;
constexpr unsigned kUnavailable = 503;

transport::HttpResponse page(unsigned status, const json::object& body) {
  return {.status = status, .body = json::serialize(body) + "\n"};
}

}  // namespace

transport::HttpResponse healthz(const HubHealth& health) {
  json::object denied;
  for (std::size_t i = 0; i < health.mailboxes.denied.size(); ++i) {
    const std::uint64_t count = health.mailboxes.denied[i];
    if (count != 0) denied[name_of(static_cast<hub::Denial>(i))] = count;
  }
  const bool turns = health.stuck_loops.empty();
  json::object body{{"status", turns ? "ok" : "stuck"},
                    {"version", health.version},
                    {"mailboxes", health.mailboxes.mailboxes},
                    {"connections", health.connections},
                    {"introductions", health.mailboxes.introductions},
                    {"denied", std::move(denied)}};
  if (!turns) body["stuck_loops"] = json::array(health.stuck_loops.begin(), health.stuck_loops.end());
  return page(turns ? kOk : kUnavailable, body);
}

transport::HttpResponse readyz(const HubHealth& health) {
  const auto not_ready = [](std::string_view reason, std::string_view message) {
    return page(kUnavailable, {{"status", "not_ready"}, {"reason", reason}, {"message", message}});
  };
  if (health.is_draining) return not_ready("draining", "The hub is shutting down.");
  if (!health.stuck_loops.empty()) return not_ready("stuck", "An event loop does not turn.");
  if (health.store_fails) return not_ready("store", "The store cannot write; the log says why.");
  if (health.is_full) return not_ready("full", "There are as many connections as there may be.");
  return page(kOk, {{"status", "ready"}});
}

}  // namespace sluice::api
