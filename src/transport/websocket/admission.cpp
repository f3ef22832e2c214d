#include "transport/websocket/admission.hpp"

#include "core/ensure.hpp"

namespace sluice::websocket {

Admission::Verdict Admission::enter(const std::string& block) {
  if (connections_ >= limits_.connections) return Verdict::full;
  const auto found = per_address_.find(block);
  if (found != per_address_.end() && found->second >= limits_.connections_per_address)
    return Verdict::address_full;
  if (handshakes_ >= limits_.handshakes) return Verdict::too_many_handshakes;
  ++connections_;
  ++handshakes_;
  ++per_address_[block];
  return Verdict::admitted;
}

void Admission::handshake_ended() {
  ENSURE(handshakes_ > 0);
  --handshakes_;
}

void Admission::leave(const std::string& block) {
  const auto found = per_address_.find(block);
  ENSURE(connections_ > 0 && found != per_address_.end());
  --connections_;
  if (--found->second == 0) per_address_.erase(found);
}

}  // namespace sluice::websocket
