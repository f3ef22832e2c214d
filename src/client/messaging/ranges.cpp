#include "client/messaging/ranges.hpp"

#include <algorithm>

namespace sluice::messaging {

bool Ranges::add(Range range) {
  // Everything that overlaps it, or touches it, becomes one with it.
  const auto touches = [&](const Range& other) {
    return other.first <= range.last + 1 && range.first <= other.last + 1;
  };
  const auto begin = std::ranges::find_if(ranges_, touches);
  if (begin == ranges_.end()) {
    if (ranges_.size() == most_) return false;
    const auto behind = std::ranges::find_if(ranges_, [&](const Range& r) { return r.first > range.last; });
    ranges_.insert(behind, range);
    return true;
  }
  const auto end = std::find_if_not(begin, ranges_.end(), touches);
  begin->first = std::min(begin->first, range.first);
  begin->last = std::max((end - 1)->last, range.last);
  ranges_.erase(begin + 1, end);
  return true;
}

void Ranges::remove(Range range) {
  std::vector<Range> left;
  left.reserve(ranges_.size() + 1);
  for (const Range& one : ranges_) {
    if (one.last < range.first || one.first > range.last) {
      left.push_back(one);
      continue;
    }
    if (one.first < range.first) left.push_back({.first = one.first, .last = range.first - 1});
    if (one.last > range.last) left.push_back({.first = range.last + 1, .last = one.last});
  }
  if (left.size() > most_) left.pop_back();
  ranges_ = std::move(left);
}

bool Ranges::contains(std::uint64_t offset) const {
  return std::ranges::any_of(
      ranges_, [&](const Range& range) { return range.first <= offset && offset <= range.last; });
}

std::optional<Range> Ranges::front() const {
  if (ranges_.empty()) return std::nullopt;
  return ranges_.front();
}

}  // namespace sluice::messaging
