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

/// One that is still to be answered, or was answered already, gives way for what is lacking. Nothing: all
/// that count there are WebSockets or have a page made for them.
std::optional<Admission::Id> Admission::make_room(const AdmissionSource& from, Verdict lacking) {
  std::optional<Id> gone;
  if (lacking == Verdict::full) {
    // One that was answered loses nothing. Where one address lingers in all of them, the only one that shakes
    // hands is somebody else's.
    gone = answered_.evict();
    if (!gone) gone = handshakes_.evict();
  } else {
    gone = handshakes_.evict_from(lacking == Verdict::address_full ? from.blocks.narrow : from.blocks.wide);
  }
  if (gone) leave(*gone);
  return gone;
}

Admission::Decision Admission::enter(Id id, AdmissionSource from, TimePoint now) {
  Decision decision{.give_way = handshakes_.expire(now, limits_.request)};
  for (const Id gone : decision.give_way) leave(gone);
  const auto ask = [&](auto&& verdict) {
    decision.verdict = verdict();
    if (decision.verdict == Verdict::admitted) return;
    const auto gone = make_room(from, decision.verdict);
    if (!gone) return;
    decision.give_way.push_back(*gone);
    decision.verdict = verdict();
  };
  // Its own share first: no other gives way to one that would be rejected all the same.
  ask([&] { return room_for(from); });
  if (decision.verdict == Verdict::admitted) ask([this] { return room_in_all(); });
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

Admission::Verdict Admission::room_in_all() const {
  return members_.size() < limits_.connections + limits_.page_reserve ? Verdict::admitted : Verdict::full;
}

std::optional<Admission::Id> Admission::make_way() {
  return make_room({}, Verdict::full);
}

void Admission::answered(Id id, TimePoint now) {
  const auto member = members_.find(id);
  if (member == members_.end() || answered_.holds(id)) return;
  handshakes_.give_back(id);
  answered_.add(id, member->second.blocks, now);
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
  answered_.give_back(id);
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
