#include "hub/gateway/group_answers.hpp"

#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub {

void GroupAnswers::expect(const std::string& group) {
  slots_[group].emplace_back();
  ++waiting_;
}

GroupAnswers::Answers GroupAnswers::in_turn(const std::string& group, wire::hub::FromHub answer) {
  const auto open = slots_.find(group);
  Answers now;
  if (open == slots_.end()) {
    now.push_back(std::move(answer));
  } else {
    open->second.emplace_back(std::move(answer));
    ++waiting_;
  }
  return now;
}

GroupAnswers::Answers GroupAnswers::arrived(const std::string& group, wire::hub::FromHub answer) {
  const auto open = slots_.find(group);
  ENSURE(open != slots_.end() && !open->second.front());
  std::deque<Slot>& slots = open->second;
  slots.front() = std::move(answer);
  Answers now;
  while (!slots.empty() && slots.front()) {
    now.push_back(std::move(*slots.front()));
    slots.pop_front();
    --waiting_;
  }
  if (slots.empty()) slots_.erase(open);
  return now;
}

}  // namespace sluice::hub
