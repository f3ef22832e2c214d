#pragma once

#include "core/error.hpp"
#include "wire/hub/message.hpp"

namespace sluice::v1 {
class Envelope;
}

/// Between the schema's generated classes and plain values. Inside this room only.
namespace sluice::wire::hub {

/// Requires an empty envelope.
void fill(v1::Envelope& envelope, const FromHub& message);
void fill(v1::Envelope& envelope, const FromClient& message);

/// Checks everything that the schema leaves open; errors as those of `codec.hpp`. Moves contents out.
[[nodiscard]] Result<FromClient> take_from_client(v1::Envelope& envelope);
[[nodiscard]] Result<FromHub> take_from_hub(v1::Envelope& envelope);

}  // namespace sluice::wire::hub
