#include "flow/session_budget.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::flow {

SessionBudget::SessionBudget(SessionBudgetOptions options)
    : options_(std::move(options)), memory_(options_.memory) {}

Status SessionBudget::reserve(Bytes first) {
  if (stats_.promised + first > options_.windows) {
    ++stats_.refused;
    return fail(Errc::limit_exceeded, "no window left for one more connection: " +
                                          std::to_string(stats_.windows) + " are open in this session");
  }
  if (!memory_.take((first + limits::kStreamMemory).count())) {
    ++stats_.refused;
    return fail(Errc::limit_exceeded, "no memory left for one more connection");
  }
  ++stats_.windows;
  promise(first);
  return {};
}

Bytes SessionBudget::free_growth() const {
  return std::min(
      {options_.growth - stats_.growth, options_.windows - stats_.promised, Bytes{memory_.room()}});
}

Bytes SessionBudget::grow(Growth ask) {
  // After it, what the window holds must not exceed what is left: held + g <= free - g.
  const Bytes granted = std::min(ask.wanted, (free_growth() - ask.held) / 2);
  if (granted < ask.wanted) ++stats_.lent_short;
  ENSURE(memory_.take(granted.count()));  // no more than its room
  stats_.growth += granted;
  promise(granted);
  return granted;
}

Bytes SessionBudget::surplus(Bytes held) const {
  // What makes held - d == 2 * (free + d): past that point others are short while this one has plenty.
  return (held - free_growth() * 2) / 3;
}

void SessionBudget::give_back_growth(Bytes growth) {
  ENSURE(growth <= stats_.growth);
  stats_.growth -= growth;
  stats_.promised -= growth;
  memory_.give(growth.count());
}

void SessionBudget::give_back_first(Bytes first) {
  ENSURE(stats_.windows > 0 && stats_.growth + first <= stats_.promised);
  --stats_.windows;
  stats_.promised -= first;
  memory_.give((first + limits::kStreamMemory).count());
}

Status SessionBudget::set_overhead(Bytes overhead) {
  const Bytes charge = overhead - std::min(overhead, kOwnOverhead);
  if (charge > overhead_ && !memory_.take((charge - overhead_).count()))
    return fail(Errc::limit_exceeded, "no memory left for packets that wait for earlier ones");
  if (charge < overhead_) memory_.give((overhead_ - charge).count());
  overhead_ = charge;
  return {};
}

SessionBudgetStats SessionBudget::stats() const {
  SessionBudgetStats all = stats_;
  all.memory = Bytes{memory_.held()};
  return all;
}

void SessionBudget::promise(Bytes more) {
  stats_.promised += more;
  stats_.peak = std::max(stats_.peak, stats_.promised);
}

}  // namespace sluice::flow
