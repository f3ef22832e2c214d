#include "observe/log_pace.hpp"

#include <algorithm>
#include <utility>

namespace sluice::observe {

std::optional<std::uint64_t> LogPace::note(const std::string& kind, TimePoint now) {
  const auto known = said_.find(kind);
  if (known == said_.end()) {
    if (said_.size() >= most_) {
      const auto oldest = said_.find(order_.front());
      if (now - oldest->second.at < pause_) {
        ++others_;
        return std::nullopt;
      }
      others_ += oldest->second.since;
      said_.erase(oldest);
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
