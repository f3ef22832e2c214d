#pragma once

#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "api/peer_options.hpp"
#include "core/error.hpp"
#include "transport/http.hpp"

namespace sluice::api {

/// A request to a hub's administration (docs/hub-observability.md).
struct AdminCall {
  transport::HttpMethod method = transport::HttpMethod::get;
  std::string path{};  ///< Behind `/v1/admin/`, encoded, with its query.
  std::string body{};
};

/// Asks the hub and returns what it answers. Runs on the caller's executor. Errors: those of
/// `websocket::fetch`; `refused`, with the hub's own sentence; `protocol_violation` (it is no such hub).
[[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> ask_admin(HubAddress hub, std::string token,
                                                                            AdminCall call);

}  // namespace sluice::api
