#include "transport/fair_slots.hpp"

#include <algorithm>

#include "core/ensure.hpp"

namespace sluice::transport {
namespace {

/// Changes a set of turns that stands in a ranking, and its place there with it.
template <typename Ranking, typename Turns, typename Rank, typename Change>
void rank_anew(Ranking& ranking, const std::string& name, Turns& turns, Rank&& rank, Change&& change) {
  if (!turns.empty()) ranking.erase(rank(turns));
  change(turns);
  if (!turns.empty()) ranking.emplace(rank(turns), name);
}

}  // namespace

std::optional<FairSlots::Id> FairSlots::take(Id id, const AddressBlocks& from, TimePoint now) {
  add(id, from, now);
  if (!is_over()) return std::nullopt;
  return evict();
}

void FairSlots::add(Id id, const AddressBlocks& from, TimePoint now) {
  const Turn turn = ++last_turn_;
  const bool fresh = held_.emplace(id, Slot{.turn = turn, .from = from}).second;
  ENSURE(fresh);
  holders_.emplace(turn, Holder{.id = id, .since = now});
  insert(turn, from);
}

void FairSlots::give_back(Id id) {
  const auto slot = held_.find(id);
  if (slot == held_.end()) return;
  remove(slot->second.turn, slot->second.from);
  holders_.erase(slot->second.turn);
  held_.erase(slot);
}

void FairSlots::move(Id id, const AddressBlocks& to) {
  const auto slot = held_.find(id);
  if (slot == held_.end() || slot->second.from == to) return;
  remove(slot->second.turn, slot->second.from);
  slot->second.from = to;
  insert(slot->second.turn, to);
}

void FairSlots::insert(Turn turn, const AddressBlocks& from) {
  Wide& wide = blocks_[from.wide];
  const auto insert = [turn](Turns& turns) { turns.insert(turn); };
  rank_anew(wide.ranking, from.narrow, wide.narrow[from.narrow], rank_of, insert);
  rank_anew(ranking_, from.wide, wide.turns, rank_of, insert);
}

void FairSlots::remove(Turn turn, const AddressBlocks& from) {
  const auto wide = blocks_.find(from.wide);
  ENSURE(wide != blocks_.end());
  const auto narrow = wide->second.narrow.find(from.narrow);
  ENSURE(narrow != wide->second.narrow.end());
  const auto erase = [turn](Turns& turns) { turns.erase(turn); };
  rank_anew(wide->second.ranking, from.narrow, narrow->second, rank_of, erase);
  rank_anew(ranking_, from.wide, wide->second.turns, rank_of, erase);
  if (narrow->second.empty()) wide->second.narrow.erase(narrow);
  if (wide->second.turns.empty()) blocks_.erase(wide);
}

FairSlots::Id FairSlots::evict_of(const Wide& wide) {
  const Turns& largest = wide.narrow.at(wide.ranking.rbegin()->second);
  const Id id = holders_.at(*largest.begin()).id;
  give_back(id);
  return id;
}

std::optional<FairSlots::Id> FairSlots::evict() {
  if (ranking_.empty()) return std::nullopt;
  return evict_of(blocks_.at(ranking_.rbegin()->second));
}

std::optional<FairSlots::Id> FairSlots::evict_from(const std::string& block) {
  if (const auto wide = blocks_.find(block); wide != blocks_.end()) return evict_of(wide->second);
  const AddressBlocks of = address_blocks(block.substr(0, block.find('/')));
  const auto wide = blocks_.find(of.wide);
  if (wide == blocks_.end()) return std::nullopt;
  const auto narrow = wide->second.narrow.find(block);
  if (narrow == wide->second.narrow.end()) return std::nullopt;
  const Id id = holders_.at(*narrow->second.begin()).id;
  give_back(id);
  return id;
}

Duration FairSlots::allowed(Patience patience) const {
  const std::size_t free_until = slots_ / 4;
  if (slots_ == 0) return patience.shortest;
  if (held_.size() <= free_until || patience.longest <= patience.shortest) return patience.longest;
  const double above = static_cast<double>(std::min(held_.size(), slots_) - free_until);
  const double share = above / static_cast<double>(slots_ - free_until);
  const auto less = std::chrono::duration_cast<Duration>(share * (patience.longest - patience.shortest));
  return patience.longest - less;
}

std::vector<FairSlots::Id> FairSlots::expire(TimePoint now, Patience patience) {
  std::vector<Id> over;
  // Those that go make more patience with the rest.
  while (!holders_.empty()) {
    const Holder oldest = holders_.begin()->second;
    if (now - oldest.since < allowed(patience)) break;
    give_back(oldest.id);
    over.push_back(oldest.id);
  }
  return over;
}

std::size_t FairSlots::held_by(const AddressBlocks& from) const {
  const auto wide = blocks_.find(from.wide);
  return wide == blocks_.end() ? 0 : wide->second.turns.size();
}

std::size_t FairSlots::largest_share() const {
  return ranking_.empty() ? 0 : ranking_.rbegin()->first.first;
}

}  // namespace sluice::transport
