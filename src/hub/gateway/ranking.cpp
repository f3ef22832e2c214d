#include "hub/gateway/ranking.hpp"

#include "core/ensure.hpp"

namespace sluice::hub {

void Ranking::raise(std::uint32_t member) {
  if (nodes_.size() <= member) nodes_.resize(std::size_t{member} + 1);
  unlink(member);
  ++nodes_[member].count;
  link(member);
  if (nodes_[member].count > most_) most_ = nodes_[member].count;
}

void Ranking::lower(std::uint32_t member) {
  ENSURE(count_of(member) > 0);
  unlink(member);
  --nodes_[member].count;
  link(member);
  // The member itself is the next below, so one step is enough.
  if (heads_[most_] == kNone && most_ > 0) --most_;
}

std::uint32_t Ranking::count_of(std::uint32_t member) const {
  return member < nodes_.size() ? nodes_[member].count : 0;
}

std::optional<std::uint32_t> Ranking::largest() const {
  if (most_ == 0) return std::nullopt;
  return heads_[most_];
}

/// Members without anything are in no list.
void Ranking::link(std::uint32_t member) {
  Node& node = nodes_[member];
  if (node.count == 0) return;
  if (heads_.size() <= node.count) heads_.resize(std::size_t{node.count} + 1, kNone);
  node.before = kNone;
  node.after = heads_[node.count];
  if (node.after != kNone) nodes_[node.after].before = member;
  heads_[node.count] = member;
}

void Ranking::unlink(std::uint32_t member) {
  const Node& node = nodes_[member];
  if (node.count == 0) return;
  if (node.before == kNone) {
    heads_[node.count] = node.after;
  } else {
    nodes_[node.before].after = node.after;
  }
  if (node.after != kNone) nodes_[node.after].before = node.before;
}

}  // namespace sluice::hub
