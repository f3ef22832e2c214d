#include "hub/store/acknowledgements.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "hub/store/device_marks.hpp"

namespace sluice::hub::store {

bool Acknowledgements::note(Mark mark) {
  Owner owner{std::move(mark.conversation), std::move(mark.device)};
  const std::scoped_lock lock{mutex_};
  const auto known = waiting_.find(owner);
  if (known != waiting_.end()) {
    known->second = std::max(known->second, mark.position);
    return true;
  }
  // A commit that fails gives its marks back, so they count for as long as it is not over.
  if (!committing_.contains(owner)) {
    if (committing_.size() + fresh_ >= limits::kWaitingAcknowledgements) return false;
    if (devices_of(owner.first) >= DeviceMarks::kMost) return false;
    ++fresh_;
  }
  waiting_.emplace(std::move(owner), mark.position);
  return true;
}

std::size_t Acknowledgements::devices_of(const Conversation& inbox) const {
  std::size_t devices = 0;
  const Owner first{inbox, std::string{}};
  for (auto mark = committing_.lower_bound(first); mark != committing_.end() && mark->first.first == inbox;
       ++mark)
    ++devices;
  for (auto mark = waiting_.lower_bound(first); mark != waiting_.end() && mark->first.first == inbox; ++mark)
    devices += committing_.contains(mark->first) ? 0 : 1;
  return devices;
}

std::optional<Position> Acknowledgements::find(const Conversation& inbox, std::string_view device) const {
  const Owner owner{inbox, std::string{device}};
  const std::scoped_lock lock{mutex_};
  std::optional<Position> found;
  for (const auto* marks : {&committing_, &waiting_}) {
    const auto mark = marks->find(owner);
    if (mark != marks->end()) found = std::max(found, std::optional{mark->second});
  }
  return found;
}

bool Acknowledgements::empty() const {
  const std::scoped_lock lock{mutex_};
  return waiting_.empty();
}

std::vector<Mark> Acknowledgements::take() {
  const std::scoped_lock lock{mutex_};
  ENSURE(committing_.empty());
  committing_ = std::exchange(waiting_, {});
  fresh_ = 0;
  std::vector<Mark> marks;
  marks.reserve(committing_.size());
  for (const auto& [owner, position] : committing_)
    marks.push_back({.conversation = owner.first, .position = position, .device = owner.second});
  return marks;
}

void Acknowledgements::committed() {
  const std::scoped_lock lock{mutex_};
  committing_.clear();
  fresh_ = waiting_.size();
}

void Acknowledgements::failed() {
  const std::scoped_lock lock{mutex_};
  for (auto& [owner, position] : committing_) {
    Position& mark = waiting_[owner];
    mark = std::max(mark, position);
  }
  committing_.clear();
  fresh_ = waiting_.size();
}

}  // namespace sluice::hub::store
