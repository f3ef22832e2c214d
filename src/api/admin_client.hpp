#pragma once

#include <string>

#include <boost/asio/awaitable.hpp>

#include "api/peer_options.hpp"
#include "core/client_limits.hpp"
#include "core/error.hpp"
#include "transport/http.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::api {

/// A request to a hub's administration (docs/hub-observability.md).
struct AdminCall {
  transport::HttpMethod method = transport::HttpMethod::get;
  std::string path{};  ///< Behind `/v1/admin/`, encoded, with its query.
  std::string body{};
};

/// Asks the hub and returns the JSON that it answers, as text of at most `limits::kMaxAdminAnswer`: a list in
/// it may be long, so the caller takes it apart (`wire::json`). Runs on the caller's executor. Errors: those
/// of `websocket::fetch`; `refused`, with the hub's own sentence; `protocol_violation` (it is no such hub).
[[nodiscard]] boost::asio::awaitable<Result<std::string>> ask_admin(HubAddress hub, std::string token,
                                                                    AdminCall call);

/// What one thing in such an answer may be, and cost.
inline constexpr wire::json::Limits kAdminItem{.text = limits::kMaxAdminItem,
                                               .memory = limits::kMaxAdminItemMemory};

}  // namespace sluice::api
