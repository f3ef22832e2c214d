#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/process_figures.hpp"
#include "hub/mailbox.hpp"
#include "hub/service/gateway.hpp"
#include "observe/metrics.hpp"
#include "transport/websocket/server.hpp"

namespace sluice::api {

/// Everything that a hub tells of itself, at one time.
struct HubFigures {
  struct Server {
    std::size_t connections = 0;
    std::array<std::uint64_t, websocket::kServerCounts> ended{};  ///< By ServerCount.
  };
  struct Mailboxes {
    std::size_t mailboxes = 0;
    std::size_t connections = 0;
    std::uint64_t introductions = 0;
    std::array<std::uint64_t, hub::kDenials> denied{};  ///< By Denial.
  };

  std::string version{};
  Server server{};
  Mailboxes mailboxes{};
  std::uint64_t unauthorized = 0;  ///< Requests to administration without its token.
  std::optional<hub::service::GatewayStatus> messaging{};
  ProcessFigures process{};
};

/// Each as docs/hub-observability.md names it; those of messaging only with messaging. Every reason that a
/// figure is counted by is there from the start, so that its first time is a change.
[[nodiscard]] std::vector<observe::Metric> metrics_of(const HubFigures& figures);

}  // namespace sluice::api
