#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "api/hub_metrics.hpp"
#include "transport/http.hpp"

namespace sluice::api {

/// What a load balancer and a supervisor ask a hub. Pure.
struct HubHealth {
  std::string version{};
  std::size_t connections = 0;  ///< Open TCP connections of all kinds.
  HubFigures::Mailboxes mailboxes{};
  std::vector<std::size_t> stuck_loops{};  ///< Event loops that do not turn.
  bool is_draining = false;
  bool store_fails = false;  ///< Its last attempt to write failed.
  bool is_full = false;      ///< Admission control rejects everyone.
};

/// `/healthz`: 200 as long as every event loop turns; 503 is a reason to restart the hub.
[[nodiscard]] transport::HttpResponse healthz(const HubHealth& health);

/// `/readyz`: 200 when a newcomer is served; 503 with `reason` is a reason to send newcomers elsewhere for a
/// while.
[[nodiscard]] transport::HttpResponse readyz(const HubHealth& health);

}  // namespace sluice::api
