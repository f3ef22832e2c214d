#include "hub/gateway/cost.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

namespace sluice::hub::cost {
namespace {

template <typename T>
constexpr std::uint64_t beside(const T&) {
  using namespace wire::hub;
  if constexpr (std::is_same_v<T, Join> || std::is_same_v<T, Leave> || std::is_same_v<T, Refresh>) {
    return kMembership;
  } else if constexpr (std::is_same_v<T, Ping> || std::is_same_v<T, Pull> || std::is_same_v<T, Who>) {
    return kAnswer;
  } else {
    return 0;
  }
}

std::uint64_t most(std::uint64_t tokens) {
  return std::min(tokens, flow::TokenRate::kLargest);
}

}  // namespace

std::uint64_t of(const wire::hub::FromClient& message, std::size_t size) {
  // One that acknowledges each delivery alone is within its rights: as many as it was sent.
  const std::uint64_t itself = std::holds_alternative<wire::hub::Ack>(message) ? 0 : 1;
  return itself + size / kBytesPerToken + std::visit([](const auto& what) { return beside(what); }, message);
}

std::uint64_t of_malformed(std::size_t size) {
  return 1 + size / kBytesPerToken + kRejection;
}

flow::TokenRate rate(const Rates& rates) {
  return {.burst = most(2 * rates.messages.burst + rates.bytes.burst / kBytesPerToken + kTokenBurst),
          .tokens = most(2 * rates.messages.tokens + rates.bytes.tokens / kBytesPerToken + kTokensPerSecond)};
}

}  // namespace sluice::hub::cost
