#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "crypto/cpace.hpp"
#include "crypto/keyed_hash.hpp"

/// What host and client say to each other through a mailbox, as values and as bytes: docs/wire/rendezvous.md
/// is the normative page. Pure.
namespace sluice::rendezvous {

/// The versions of this protocol that this build speaks.
inline constexpr std::uint8_t kOldestVersion = 1;
inline constexpr std::uint8_t kNewestVersion = 1;
/// What this build can do beyond its version, a bit each: nothing yet.
inline constexpr std::uint32_t kFeatures = 0;

using Nonce = std::array<std::byte, 16>;

/// The host's first word to a visitor.
struct Hello {
  std::uint8_t newest = kNewestVersion;
  std::uint8_t oldest = kOldestVersion;
  std::uint32_t features = kFeatures;
  Nonce nonce{};
  bool operator==(const Hello&) const = default;
};

/// The client's answer: what of that it has chosen, and its half of the key exchange.
struct Start {
  std::uint8_t version = kNewestVersion;
  std::uint32_t features = kFeatures;
  Nonce nonce{};
  crypto::cpace::Element share{};
  bool operator==(const Start&) const = default;
};

/// The host's half of the key exchange.
struct Reply {
  crypto::cpace::Element share{};
  bool operator==(const Reply&) const = default;
};

/// Proof of having the key; the client's comes first.
struct Confirm {
  crypto::Digest tag{};
  bool operator==(const Confirm&) const = default;
};

/// A signal that only the other side can read: the rest of the message, for `crypto::Opener`.
struct Sealed {
  ByteView bytes;
};

/// One side ends the attempt before there is a key; not authenticated, so it may only end things.
struct Refusal {
  enum class Reason : std::uint8_t { wrong_code = 1, version = 2, protocol = 3, timed_out = 4, gave_up = 5 };
  Reason reason = Reason::gave_up;
  bool operator==(const Refusal&) const = default;
};

using Message = std::variant<Hello, Start, Reply, Confirm, Sealed, Refusal>;

[[nodiscard]] ByteBuffer encode(const Message& message);

/// Never throws and reads nothing beyond `body`; a `Sealed` looks into it. Errors: `malformed`,
/// `limit_exceeded`, with what is wrong. A HELLO of a later version may be longer than ours; everything else
/// has exactly its size.
[[nodiscard]] Result<Message> decode_message(ByteView body);

}  // namespace sluice::rendezvous
