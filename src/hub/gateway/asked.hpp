#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/fair_share.hpp"
#include "hub/gateway/agenda.hpp"

namespace sluice::hub {

/// The requests that one client was sent and has not answered, so that its end is told to whoever waits.
///
/// Pure. At most `limits::kAskedOfConnection`, of which no asker takes what others need; one is forgotten at
/// its deadline, when its asker has given it up.
class Asked {
 public:
  /// False: this asker has as many here as they may for now.
  [[nodiscard]] bool add(const std::string& request, const std::string& asker, TimePoint deadline,
                         TimePoint now) {
    while (auto late = deadlines_.take_due(now)) forget(*late);
    if (!share_.take(asker)) return false;
    askers_.emplace(request, asker);
    deadlines_.put(request, deadline);
    return true;
  }
  void answered(const std::string& request) {
    deadlines_.remove(request);
    forget(request);
  }
  /// All that are open.
  [[nodiscard]] std::vector<std::string> take_all(TimePoint now) {
    while (auto late = deadlines_.take_due(now)) forget(*late);
    std::vector<std::string> open;
    open.reserve(askers_.size());
    for (const auto& [request, asker] : std::exchange(askers_, {})) {
      share_.give_back(asker);
      open.push_back(request);
    }
    deadlines_.clear();
    return open;
  }
  [[nodiscard]] std::size_t size() const { return askers_.size(); }

 private:
  void forget(const std::string& request) {
    const auto known = askers_.find(request);
    if (known == askers_.end()) return;
    share_.give_back(known->second);
    askers_.erase(known);
  }

  std::unordered_map<std::string, std::string> askers_;  ///< By request.
  Agenda<std::string> deadlines_;
  flow::FairShare share_{{.limit = limits::kAskedOfConnection}};
};

}  // namespace sluice::hub
