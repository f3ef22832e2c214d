#include "transport/dialing/name_cache.hpp"

#include <algorithm>
#include <utility>

namespace sluice::dialing {

const Answer* NameCache::find(const Question& question, TimePoint now) {
  const auto found = entries_.find(question);
  if (found == entries_.end()) return nullptr;
  if (now < found->second.stale) return &found->second.answer;
  entries_.erase(found);
  return nullptr;
}

void NameCache::keep(const Question& question, Answer answer, Duration life, TimePoint now) {
  entries_.erase(question);
  if (life <= Duration::zero() || most_ == 0) return;
  make_room();
  entries_.emplace(question, Entry{.answer = std::move(answer), .kept = now, .stale = now + life});
}

void NameCache::correct(const Question& question, Duration life, TimePoint now) {
  const auto found = entries_.find(question);
  if (found == entries_.end()) return;
  found->second.stale = found->second.kept + life;
  if (found->second.stale <= now) entries_.erase(found);
}

void NameCache::make_room() {
  if (entries_.size() < most_) return;
  entries_.erase(
      std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.stale; }));
}

}  // namespace sluice::dialing
