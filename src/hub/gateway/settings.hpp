#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/token_bucket.hpp"
#include "hub/gateway/receiver.hpp"
#include "hub/gateway/route.hpp"

namespace sluice::hub {

/// How fast one client, or one user, may speak.
struct Rates {
  flow::TokenRate messages{.burst = limits::kMessageBurst, .tokens = limits::kMessagesPerSecond};
  flow::TokenRate bytes{.burst = limits::kByteBurst.count(), .tokens = limits::kBytesPerSecond.count()};
};

/// The most that a token may grant of what has a usual figure.
struct Most {
  Rates rates{.messages = {.burst = limits::kMostByToken * limits::kMessageBurst,
                           .tokens = limits::kMostByToken * limits::kMessagesPerSecond},
              .bytes = {.burst = limits::kMostByToken * limits::kByteBurst.count(),
                        .tokens = limits::kMostByToken * limits::kBytesPerSecond.count()}};
  std::size_t connections = limits::kMostByToken * limits::kConnectionsPerUser;
  std::size_t unanswered = limits::kMostByToken * limits::kUnanswered;
};

/// What an operator sets of the gateway, and may change while it runs. Each layer can be switched off alone.
struct GatewaySettings {
  ReceiverLimits receiver{};
  std::vector<Route> routes{};

  bool rates_enabled = true;
  Rates per_connection{};
  Rates per_user{
      .messages = {.burst = 2 * limits::kMessageBurst, .tokens = 2 * limits::kMessagesPerSecond},
      .bytes = {.burst = 2 * limits::kByteBurst.count(), .tokens = 2 * limits::kBytesPerSecond.count()}};
  Most most{};
  std::size_t fanout_slice = limits::kFanoutSlice;  ///< Receivers that are reached in one turn of the loop.
  Duration tick = limits::kFanoutTick;              ///< Zero: every message goes out at once.

  bool memory_enabled = true;
  Bytes memory = limits::kMemoryLimit;
  Bytes user_memory = limits::kUserMemory;
  /// What the process's account may hold.
  [[nodiscard]] Bytes memory_limit() const { return memory_enabled ? memory : Bytes::max(); }

  Duration close_expired_after = limits::kCloseExpiredAfter;  ///< Of its token's end; negative: never.
  Duration hello_timeout = limits::kHubHelloTimeout;
  Duration heartbeat = limits::kHubHeartbeat;
  Duration resume_window = limits::kResumeWindow;
  Duration presence_grace = limits::kPresenceGrace;  ///< Before a user whose connection ended is offline.
  std::size_t connections_per_user = limits::kConnectionsPerUser;
  std::size_t groups_per_connection = limits::kGroupsPerConnection;
  std::size_t requests_per_connection = limits::kRequestsPerConnection;
  bool invisible_names = false;  ///< Names of users and groups may have characters that nobody sees.
};

}  // namespace sluice::hub
