#include "transport/websocket/admission.hpp"

#include <utility>

#include "core/ensure.hpp"

namespace sluice::websocket {

std::size_t Admission::held(const std::string& block) const {
  const auto found = per_block_.find(block);
  return found == per_block_.end() ? 0 : found->second;
}

Admission::Verdict Admission::room_for(const AdmissionSource& from) const {
  if (from.share == AdmissionSource::Share::exempt) return Verdict::admitted;
  const auto& [narrow, wide] = from.blocks;
  if (held(narrow) >= limits_.connections_per_address) return Verdict::address_full;
  if (wide != narrow && held(wide) >= limits_.connections_per_network) return Verdict::network_full;
  return Verdict::admitted;
}

/// One that shakes hands gives way for what is lacking. False: all that count there are further than that.
bool Admission::make_room(const AdmissionSource& from, Verdict lacking, Decision& decision) {
  std::optional<Id> gone;
  if (lacking == Verdict::full) {
    gone = handshakes_.evict();
  } else {
    gone = handshakes_.evict_from(lacking == Verdict::address_full ? from.blocks.narrow : from.blocks.wide);
  }
  if (!gone) return false;
  leave(*gone);
  decision.give_way.push_back(*gone);
  return true;
}

Admission::Decision Admission::enter(Id id, AdmissionSource from, TimePoint now) {
  Decision decision{.give_way = handshakes_.expire(now, limits_.request)};
  for (const Id gone : decision.give_way) leave(gone);
  const auto lacks = [this, &from] {
    return members_.size() >= limits_.connections + limits_.page_reserve ? Verdict::full : room_for(from);
  };
  decision.verdict = lacks();
  if (decision.verdict != Verdict::admitted && make_room(from, decision.verdict, decision))
    decision.verdict = lacks();
  if (decision.verdict != Verdict::admitted) return decision;
  if (const auto gone = handshakes_.take(id, from.blocks, now)) {
    leave(*gone);
    decision.give_way.push_back(*gone);
  }
  count_in(from);
  const bool fresh = members_.emplace(id, std::move(from)).second;
  ENSURE(fresh);
  return decision;
}

std::vector<Admission::Id> Admission::make_way() {
  const auto gone = handshakes_.evict();
  if (!gone) return {};
  leave(*gone);
  return {*gone};
}

std::string_view name_of(Admission::Verdict verdict) {
  switch (verdict) {
    case Admission::Verdict::admitted:
      return "none";
    case Admission::Verdict::full:
      return "too many connections in all";
    case Admission::Verdict::address_full:
      return "too many connections of this address";
    case Admission::Verdict::network_full:
      return "too many connections of this address's network";
  }
  return {};
}

Admission::Verdict Admission::identify(Id id, AdmissionSource client) {
  const auto member = members_.find(id);
  if (member == members_.end()) return Verdict::admitted;  // it gave way, and is told so where it waits
  const Verdict verdict = room_for(client);
  if (verdict != Verdict::admitted) return verdict;
  count_out(member->second);
  count_in(client);
  handshakes_.move(id, client.blocks);
  member->second = std::move(client);
  return verdict;
}

void Admission::leave(Id id) {
  const auto member = members_.find(id);
  if (member == members_.end()) return;
  handshakes_.give_back(id);
  count_out(member->second);
  members_.erase(member);
}

void Admission::count_in(const AdmissionSource& from) {
  if (from.share == AdmissionSource::Share::exempt) return;
  ++per_block_[from.blocks.narrow];
  if (from.blocks.wide != from.blocks.narrow) ++per_block_[from.blocks.wide];
}

void Admission::count_out(const AdmissionSource& from) {
  if (from.share == AdmissionSource::Share::exempt) return;
  const auto one_less = [this](const std::string& block) {
    const auto found = per_block_.find(block);
    ENSURE(found != per_block_.end());
    if (--found->second == 0) per_block_.erase(found);
  };
  one_less(from.blocks.narrow);
  if (from.blocks.wide != from.blocks.narrow) one_less(from.blocks.wide);
}

void Admission::set_limits(AdmissionLimits limits) {
  limits_ = limits;
  handshakes_.set_slots(limits.handshakes);
}

}  // namespace sluice::websocket
