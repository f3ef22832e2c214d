#pragma once

#include <boost/json/object.hpp>

#include "api/hub_metrics.hpp"
#include "flow/watermark.hpp"
#include "hub/config/settings.hpp"
#include "hub/service/gateway.hpp"
#include "wire/hub/message.hpp"

/// What administration answers, as JSON: docs/hub-observability.md. Pure.
namespace sluice::api {

[[nodiscard]] boost::json::object status_json(const HubFigures& figures);
/// `marks`: where a client becomes unwritable and writable again.
[[nodiscard]] boost::json::object client_json(const hub::service::ClientView& view, flow::Watermarks marks);
/// The same with how it went while it was slow.
[[nodiscard]] boost::json::object client_with_history_json(const hub::service::ClientView& view,
                                                           flow::Watermarks marks);
[[nodiscard]] boost::json::object ended_json(const wire::hub::Ended& ended);
/// Every key with its value and whether a change of it applies at once; and the routes.
[[nodiscard]] boost::json::object settings_json(hub::config::Settings settings);

}  // namespace sluice::api
