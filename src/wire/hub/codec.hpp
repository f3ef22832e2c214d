#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "wire/hub/encoding.hpp"
#include "wire/hub/message.hpp"

/// Messages of the hub's protocol as bytes, one envelope each, and back (docs/wire/hub.md). Pure; any thread.
namespace sluice::wire::hub {

/// What a client said: one whole WebSocket message. Its bounds are `core/hub_limits.hpp`'s: names, ids and
/// keys, tokens, positions, the size, the depth of JSON. Fields that this side does not know are skipped.
/// Errors: `malformed`; `limit_exceeded` (larger than `limits::kMaxEnvelope`); `unsupported` (a message or a
/// level that this side does not know); `protocol_violation` (what only a hub says). `reason_for` tells what
/// to answer; the error's message may be shown to the client.
[[nodiscard]] Result<FromClient> decode_from_client(Encoding encoding, ByteView message);

/// What a hub said. Bounded by `limits::kMaxHubEnvelope`; errors as above.
[[nodiscard]] Result<FromHub> decode_from_hub(Encoding encoding, ByteView message);

/// The reason that the other side is told for what did not decode.
[[nodiscard]] Reason reason_for(const Error& error);

/// Appends one envelope. Explanations are cut to `limits::kMaxExplanation`, histories to their last
/// `limits::kPressureSamples`. Requires what `decode_...` would take: names that are names (`is_name`), texts
/// that are UTF-8.
void append(ByteBuffer& out, Encoding encoding, const FromHub& message);
void append(ByteBuffer& out, Encoding encoding, const FromClient& message);

}  // namespace sluice::wire::hub
