#include "hub/gateway/allowance.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/hub_limits.hpp"

namespace sluice::hub {
namespace {

struct Figures {
  flow::TokenRate usual_of_connection;
  flow::TokenRate usual_of_user;
  flow::TokenRate most;
  std::uint64_t least_burst;
};

struct Pair {
  flow::TokenRate connection;
  flow::TokenRate user;
};

std::uint64_t twice(std::uint64_t figure) {
  return std::min(2 * figure, flow::TokenRate::kLargest);
}

Pair granted(const std::optional<std::uint64_t>& tokens, std::optional<std::uint64_t> burst,
             const Figures& figures) {
  Pair pair{.connection = figures.usual_of_connection, .user = figures.usual_of_user};
  if (tokens) {
    pair.connection.tokens = std::min(*tokens, figures.most.tokens);
    pair.user.tokens = twice(pair.connection.tokens);
    if (!burst) burst = twice(pair.connection.tokens);
  }
  if (burst) {
    pair.connection.burst = std::max(std::min(*burst, figures.most.burst), figures.least_burst);
    pair.user.burst = twice(pair.connection.burst);
  }
  return pair;
}

}  // namespace

Allowance allowance(const auth::Limits& asked, const GatewaySettings& settings) {
  const Pair messages = granted(asked.messages_per_second, asked.message_burst,
                                {.usual_of_connection = settings.per_connection.messages,
                                 .usual_of_user = settings.per_user.messages,
                                 .most = settings.most.rates.messages,
                                 .least_burst = 1});
  const Pair bytes = granted(asked.bytes_per_second, asked.byte_burst,
                             {.usual_of_connection = settings.per_connection.bytes,
                              .usual_of_user = settings.per_user.bytes,
                              .most = settings.most.rates.bytes,
                              .least_burst = limits::kMaxEnvelope.count()});
  const auto count = [](const std::optional<std::uint64_t>& wanted, std::size_t usual, std::size_t most) {
    return wanted ? std::min<std::size_t>(*wanted, most) : usual;
  };
  return {.connection = {.messages = messages.connection, .bytes = bytes.connection},
          .user = {.messages = messages.user, .bytes = bytes.user},
          .connections = count(asked.connections, settings.connections_per_user, settings.most.connections),
          .unanswered = count(asked.unanswered, limits::kUnanswered, settings.most.unanswered)};
}

}  // namespace sluice::hub
