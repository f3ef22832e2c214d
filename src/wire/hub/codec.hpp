#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "wire/hub/encoding.hpp"
#include "wire/hub/message.hpp"

/// Messages of the hub's protocol as bytes, one envelope each, and back (docs/wire/hub.md). Pure; any thread.
namespace sluice::wire::hub {

/// A message of a client that is recognised and cannot be taken, as far as its answer needs it. Texts that
/// break their own bound are empty.
struct Recognized {
  enum class Kind : std::uint8_t { publish, request, reply, other };
  Kind kind = Kind::other;  ///< `other`: `join`, `leave`, `pull`, `who`, `refresh`; answered by `error`.
  std::uint64_t seq = 0;    ///< Of a `publish` or a `request`; 0: it could not be read.
  std::string id{};         ///< Of a `publish` or a `request`; what a `reply` answers.
  std::string group{};      ///< What one of the others is about.

  bool operator==(const Recognized&) const = default;
};

/// Why a client's envelope cannot be taken. The reason and the sentence may be told to the client.
struct Undecoded {
  Reason reason = Reason::malformed;
  std::string message{};
  /// The message is told apart from the others, so that it alone is rejected. Empty: the connection ends.
  std::optional<Recognized> recognized{};
};

/// What a client said: one whole WebSocket message. Its bounds are `core/hub_limits.hpp`'s: names, ids and
/// keys, tokens, positions, the size, the depth of JSON. Fields that this side does not know are skipped.
/// Reasons: `malformed`; `too_large` (larger than `limits::kMaxEnvelope`); `unsupported` (a message or a
/// level that this side does not know); `protocol_violation` (what only a hub says). A message that breaks a
/// bound inside an envelope that can be understood, or one of up to `limits::kMaxRejectedEnvelope`, is
/// `recognized`, except for those that need no answer (`ack`, `ping`, `pong`) and `hello`.
[[nodiscard]] std::expected<FromClient, Undecoded> decode_from_client(Encoding encoding, ByteView message);

/// What a hub said. Bounded by `limits::kMaxHubEnvelope`; errors as above.
[[nodiscard]] Result<FromHub> decode_from_hub(Encoding encoding, ByteView message);

/// Appends one envelope. Explanations are cut to `limits::kMaxExplanation`, histories to their last
/// `limits::kPressureSamples`. Requires what `decode_...` would take: names that are names (`is_name`), texts
/// that are UTF-8.
void append(ByteBuffer& out, Encoding encoding, const FromHub& message);
void append(ByteBuffer& out, Encoding encoding, const FromClient& message);

}  // namespace sluice::wire::hub
