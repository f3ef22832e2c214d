#include "observe/log_pace.hpp"

#include <algorithm>
#include <utility>

namespace sluice::observe {

std::optional<std::uint64_t> LogPace::note(const std::string& kind, TimePoint now) {
  const auto known = said_.find(kind);
  if (known == said_.end()) {
    if (said_.size() >= most_) {
      said_.erase(order_.front());
      order_.pop_front();
    }
    said_.emplace(kind, Said{.at = now});
    order_.push_back(kind);
    return 1;
  }
  Said& said = known->second;
  ++said.since;
  if (now - said.at < pause_) return std::nullopt;
  said.at = now;
  order_.erase(std::ranges::find(order_, kind));
  order_.push_back(kind);
  return std::exchange(said.since, 0);
}

}  // namespace sluice::observe
