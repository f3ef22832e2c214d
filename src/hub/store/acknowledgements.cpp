#include "hub/store/acknowledgements.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"

namespace sluice::hub::store {

bool Acknowledgements::note(const Conversation& inbox, Position up_to) {
  const std::scoped_lock lock{mutex_};
  const auto known = waiting_.find(inbox);
  if (known != waiting_.end()) {
    known->second = std::max(known->second, up_to);
    return true;
  }
  if (waiting_.size() >= limits::kWaitingAcknowledgements) return false;
  waiting_.emplace(inbox, up_to);
  return true;
}

std::optional<Position> Acknowledgements::find(const Conversation& inbox) const {
  const std::scoped_lock lock{mutex_};
  std::optional<Position> found;
  for (const auto* marks : {&committing_, &waiting_}) {
    const auto mark = marks->find(inbox);
    if (mark != marks->end()) found = std::max(found, std::optional{mark->second});
  }
  return found;
}

bool Acknowledgements::empty() const {
  const std::scoped_lock lock{mutex_};
  return waiting_.empty();
}

std::vector<wire::hub::PositionIn> Acknowledgements::take() {
  const std::scoped_lock lock{mutex_};
  ENSURE(committing_.empty());
  committing_ = std::exchange(waiting_, {});
  std::vector<wire::hub::PositionIn> marks;
  marks.reserve(committing_.size());
  for (const auto& [inbox, position] : committing_)
    marks.push_back({.conversation = inbox, .position = position});
  return marks;
}

void Acknowledgements::committed() {
  const std::scoped_lock lock{mutex_};
  committing_.clear();
}

void Acknowledgements::failed() {
  const std::scoped_lock lock{mutex_};
  for (auto& [inbox, position] : committing_) {
    Position& mark = waiting_[inbox];
    mark = std::max(mark, position);
  }
  committing_.clear();
}

}  // namespace sluice::hub::store
