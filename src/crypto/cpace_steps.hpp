#pragma once

#include <optional>
#include <span>

#include "core/bytes.hpp"
#include "crypto/cpace.hpp"
#include "crypto/secret.hpp"

/// The functions of draft-irtf-cfrg-cpace one by one, by its names, for `Exchange` and for the published
/// vectors. Everybody else uses `Exchange`.
namespace sluice::crypto::cpace {

/// `prepend_len`: the bytes behind their length in LEB128.
void append_with_length(ByteBuffer& out, ByteView bytes);

/// `generator_string`: DSI, password, zeros that fill the hash's first block, channel, session. Holds the
/// password: the caller wipes it.
[[nodiscard]] ByteBuffer generator_string(const Inputs& inputs);

/// `calculate_generator`: the string hashed, mapped onto the group. Whoever has it can try passwords out.
[[nodiscard]] Secret<kElementSize> calculate_generator(const Inputs& inputs);

/// `scalar_mult` of an element that we made ourselves.
[[nodiscard]] Element scalar_mult(std::span<const std::byte, 32> scalar,
                                  std::span<const std::byte, kElementSize> element);

/// `scalar_mult_vfy`: the shared element, or nothing when the far one is no encoding of an element, or the
/// product is the neutral element.
[[nodiscard]] std::optional<Secret<32>> scalar_mult_vfy(std::span<const std::byte, 32> scalar,
                                                        const Element& far);

struct Share {
  Element element;
  ByteView data;
};
/// `transcript_ir`: initiator's first. `transcript_oc`: the larger first, for parties without an order.
struct Shares {
  Share a;
  Share b;
};
[[nodiscard]] ByteBuffer transcript_ir(const Shares& shares);
[[nodiscard]] ByteBuffer transcript_oc(const Shares& shares);

/// The key over `session`, the shared element and a transcript.
struct KeyInput {
  ByteView session;
  const Secret<32>& shared;
  ByteView transcript;
};
[[nodiscard]] SessionKey session_key(const KeyInput& input);

/// `sid_output`: a public name for the exchange, for parties that had no session value beforehand.
[[nodiscard]] std::array<std::byte, 64> session_name(ByteView transcript);

}  // namespace sluice::crypto::cpace
