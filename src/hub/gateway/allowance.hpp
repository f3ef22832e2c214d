#pragma once

#include <cstddef>

#include "hub/auth/identity.hpp"
#include "hub/gateway/settings.hpp"

namespace sluice::hub {

/// What one client may do, by its token and by the operator.
struct Allowance {
  Rates connection{};
  Rates user{};
  std::size_t connections = limits::kConnectionsPerUser;
  std::size_t unanswered = limits::kUnanswered;
};

/// What the token asks for, within the operator's maxima; where it asks for nothing, the operator's usual.
/// All connections of a user together may do twice what a token grants to one. A burst that a token leaves
/// out is two seconds of its rate.
[[nodiscard]] Allowance allowance(const auth::Limits& asked, const GatewaySettings& settings);

}  // namespace sluice::hub
