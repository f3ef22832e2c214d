#include "hub/gateway/dedup.hpp"

namespace sluice::hub {
namespace {

/// Names hold no zero bytes (`codec.hpp`).
std::string key_of(const Dedup::Message& message) {
  std::string key;
  key.reserve(message.to.name.size() + message.from.size() + message.id.size() + 3);
  key += static_cast<char>('0' + static_cast<int>(message.to.kind));
  key += message.to.name;
  key += '\0';
  key += message.from;
  key += '\0';
  key += message.id;
  return key;
}

}  // namespace

std::optional<wire::hub::Position> Dedup::find(const Message& message, TimePoint now) {
  forget_old(now);
  const auto known = known_.find(key_of(message));
  return known == known_.end() ? std::nullopt : std::optional{known->second};
}

void Dedup::remember(const Message& message, wire::hub::Position position, TimePoint now) {
  forget_old(now);
  if (order_.size() == limits_.entries) forget_oldest();
  std::string key = key_of(message);
  if (known_.insert_or_assign(key, position).second)
    order_.push_back({.key = std::move(key), .position = position, .at = now});
}

void Dedup::forget(const Message& message, wire::hub::Position position) {
  const auto known = known_.find(key_of(message));
  if (known != known_.end() && known->second == position) known_.erase(known);
}

void Dedup::forget_old(TimePoint now) {
  while (!order_.empty() && now - order_.front().at >= limits_.age) forget_oldest();
}

/// Unless it was forgotten already, and has come again.
void Dedup::forget_oldest() {
  const auto known = known_.find(order_.front().key);
  if (known != known_.end() && known->second == order_.front().position) known_.erase(known);
  order_.pop_front();
}

}  // namespace sluice::hub
