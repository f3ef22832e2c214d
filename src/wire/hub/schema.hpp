#pragma once

#include <expected>
#include <optional>

#include "core/error.hpp"
#include "wire/hub/codec.hpp"
#include "wire/hub/message.hpp"

namespace sluice::v1 {
class Envelope;
}

/// Between the schema's generated classes and plain values. Inside this room only.
namespace sluice::wire::hub {

/// Requires an empty envelope.
void fill(v1::Envelope& envelope, const FromHub& message);
void fill(v1::Envelope& envelope, const FromClient& message);

/// What a client is told of an error that is about no message in particular.
[[nodiscard]] Undecoded undecoded(Error error);

/// Checks everything that the schema leaves open; errors as those of `codec.hpp`. Moves contents out.
/// `problem`: one of its fields could not be read, so that it is rejected in any case.
[[nodiscard]] std::expected<FromClient, Undecoded> take_from_client(v1::Envelope& envelope,
                                                                    std::optional<Error> problem);
[[nodiscard]] Result<FromHub> take_from_hub(v1::Envelope& envelope);

}  // namespace sluice::wire::hub
