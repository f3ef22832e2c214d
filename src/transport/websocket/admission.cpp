#include "transport/websocket/admission.hpp"

#include "core/ensure.hpp"

namespace sluice::websocket {

Admission::Verdict Admission::enter(const std::string& block) {
  if (connections_ >= limits_.connections) return Verdict::full;
  const auto found = per_address_.find(block);
  const Share held = found == per_address_.end() ? Share{} : found->second;
  if (held.connections >= limits_.connections_per_address) return Verdict::address_full;
  if (held.handshakes >= limits_.handshakes_per_address) return Verdict::address_handshakes;
  if (handshakes_ >= limits_.handshakes) return Verdict::too_many_handshakes;
  ++connections_;
  ++handshakes_;
  if (block.empty()) return Verdict::admitted;
  per_address_[block] = {.connections = held.connections + 1, .handshakes = held.handshakes + 1};
  return Verdict::admitted;
}

void Admission::handshake_ended(const std::string& block) {
  ENSURE(handshakes_ > 0);
  --handshakes_;
  if (block.empty()) return;
  const auto found = per_address_.find(block);
  ENSURE(found != per_address_.end() && found->second.handshakes > 0);
  --found->second.handshakes;
}

void Admission::leave(const std::string& block) {
  ENSURE(connections_ > 0);
  --connections_;
  if (block.empty()) return;
  const auto found = per_address_.find(block);
  ENSURE(found != per_address_.end());
  if (--found->second.connections == 0) per_address_.erase(found);
}

}  // namespace sluice::websocket
