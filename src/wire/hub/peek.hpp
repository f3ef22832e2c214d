#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "wire/hub/message.hpp"

namespace sluice::wire::hub {

/// The parts of a Delivery in Protobuf that a reader of very many needs, without a copy of any.
struct DeliveryGlance {
  Position position{};
  bool replayed = false;
  ByteView content{};  ///< Data or text; ends with the envelope that it is in.
};

/// What an envelope from a hub is, if it is a Delivery that carries no request and is well-formed as far as
/// this looks; nothing for everything else, which `decode_from_hub` is for. Twenty times as fast. Pure.
[[nodiscard]] std::optional<DeliveryGlance> glance_at_delivery(ByteView envelope);

}  // namespace sluice::wire::hub
