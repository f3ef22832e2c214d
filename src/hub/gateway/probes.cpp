#include "hub/gateway/probes.hpp"

#include <algorithm>

namespace sluice::hub {

void Probes::begin(const mail::Probe& asked, std::uint64_t heard, TimePoint now) {
  if (std::ranges::find(pending_, asked.to, &Pending::connection) != pending_.end()) return;
  pending_.push_back({.connection = asked.to, .user = asked.user, .heard = heard, .since = now});
}

}  // namespace sluice::hub
