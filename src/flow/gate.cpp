#include "flow/gate.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace sluice::flow {

Gate::Gate(GateOptions options) : options_(options), mark_(options.marks) {}

Result<Ticket> Gate::enter(TimePoint now) {
  if (closed_) {
    ++stats_.refused;
    return fail(*closed_);
  }
  if (waiting_.size() >= options_.max_waiters) {
    ++stats_.refused;
    return fail(Errc::limit_exceeded,
                std::to_string(waiting_.size()) + " writers wait for this link already: no more are let in");
  }
  ++stats_.waits;
  const Ticket ticket{++last_ticket_};
  waiting_.emplace_hint(waiting_.end(), ticket, now);
  return ticket;
}

std::optional<Ticket> Gate::next(TimePoint now) {
  if (inside_ || waiting_.empty() || !is_open()) return std::nullopt;
  const auto first = waiting_.begin();
  inside_ = first->first;
  note_wait(first->second, now);
  waiting_.erase(first);
  ++stats_.passed;
  return inside_;
}

void Gate::leave(Ticket ticket) {
  if (inside_ == ticket) inside_.reset();
}

bool Gate::cancel(Ticket ticket, TimePoint now) {
  if (inside_ == ticket) {
    inside_.reset();
    return true;
  }
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return false;
  note_wait(found->second, now);
  waiting_.erase(found);
  ++stats_.cancelled;
  return true;
}

std::vector<Ticket> Gate::expire(TimePoint now) {
  std::vector<Ticket> late;
  while (!waiting_.empty() && now - waiting_.begin()->second >= options_.stall_limit) {
    const auto first = waiting_.begin();
    note_wait(first->second, now);
    late.push_back(first->first);
    waiting_.erase(first);
    ++stats_.stalled;
  }
  return late;
}

std::optional<TimePoint> Gate::next_deadline() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->second + options_.stall_limit;
}

std::vector<Ticket> Gate::close(Error reason, TimePoint now) {
  std::vector<Ticket> ended;
  if (closed_) return ended;
  closed_ = std::move(reason);
  inside_.reset();
  ended.reserve(waiting_.size());
  for (const auto& [ticket, since] : waiting_) {
    note_wait(since, now);
    ended.push_back(ticket);
  }
  waiting_.clear();
  return ended;
}

Error Gate::stall_error() const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.stall_limit).count();
  return {.code = Errc::stalled,
          .message = "the link did not take enough for " + std::to_string(ms) +
                     " ms to let this writer through; " + std::to_string(mark_.held().count()) +
                     " bytes are queued"};
}

GateStats Gate::stats(TimePoint now) const {
  GateStats all = stats_;
  all.mark = mark_.stats(now);
  all.waiting = waiting_.size();
  return all;
}

void Gate::note_wait(TimePoint since, TimePoint now) {
  stats_.longest_wait = std::max(stats_.longest_wait, now - since);
}

}  // namespace sluice::flow
