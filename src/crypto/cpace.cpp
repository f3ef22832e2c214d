#include "crypto/cpace.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <sodium.h>

#include "core/ensure.hpp"
#include "crypto/cpace_steps.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto::cpace {
namespace {

static_assert(kElementSize == crypto_core_ristretto255_BYTES);

constexpr std::string_view kDomain = "CPaceRistretto255";  // draft §7.3, DSI
constexpr std::string_view kKeyDomain = "CPaceRistretto255_ISK";
constexpr std::string_view kNameDomain = "CPaceSidOutput";
constexpr std::size_t kHashBlock = 128;  // SHA-512's input block, s_in_bytes

std::size_t size_with_length(ByteView bytes) {
  std::size_t size = bytes.size() + 1;
  for (std::size_t rest = bytes.size() >> 7U; rest != 0; rest >>= 7U) ++size;
  return size;
}

/// A share as transcripts have it.
ByteBuffer encoded(const Share& share) {
  ByteBuffer out;
  append_with_length(out, share.element);
  append_with_length(out, share.data);
  return out;
}

ByteBuffer joined(std::initializer_list<ByteView> parts) {
  ByteBuffer out;
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

}  // namespace

void append_with_length(ByteBuffer& out, ByteView bytes) {
  std::size_t rest = bytes.size();
  while (rest >= 0x80) {
    out.push_back(static_cast<std::byte>((rest & 0x7FU) | 0x80U));
    rest >>= 7U;
  }
  out.push_back(static_cast<std::byte>(rest));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

ByteBuffer generator_string(const Inputs& inputs) {
  // Draft §5.2: the zeros end the hash's first block behind domain and password, so that what follows them
  // has no part in how long the password takes to hash.
  const std::size_t before = size_with_length(as_bytes(kDomain)) + size_with_length(inputs.password) + 1;
  const ByteBuffer zeros(before < kHashBlock ? kHashBlock - before : 0);
  ByteBuffer text;
  text.reserve(kHashBlock + inputs.password.size() + inputs.channel.size() + inputs.session.size() + 64);
  append_with_length(text, as_bytes(kDomain));
  append_with_length(text, inputs.password);
  append_with_length(text, zeros);
  append_with_length(text, inputs.channel);
  append_with_length(text, inputs.session);
  return text;
}

Secret<kElementSize> calculate_generator(const Inputs& inputs) {
  start_sodium();
  ByteBuffer text = generator_string(inputs);
  std::array<std::byte, crypto_hash_sha512_BYTES> hash;
  crypto_hash_sha512(raw(ByteSpan{hash}), raw(ByteView{text}), text.size());
  auto generator = Secret<kElementSize>::written_by([&](std::span<std::byte, kElementSize> out) {
    crypto_core_ristretto255_from_hash(raw(ByteSpan{out}), raw(ByteView{hash}));
  });
  wipe(text);
  wipe(hash);
  return generator;
}

Element scalar_mult(std::span<const std::byte, 32> scalar, std::span<const std::byte, kElementSize> element) {
  Element product;
  const int failed =
      crypto_scalarmult_ristretto255(raw(ByteSpan{product}), raw(ByteView{scalar}), raw(ByteView{element}));
  ENSURE(failed == 0);
  return product;
}

std::optional<Secret<32>> scalar_mult_vfy(std::span<const std::byte, 32> scalar, const Element& far) {
  int failed = 0;
  // libsodium fails for an encoding that is not canonical or no element, and for a neutral product.
  auto product = Secret<32>::written_by([&](std::span<std::byte, 32> out) {
    failed = crypto_scalarmult_ristretto255(raw(ByteSpan{out}), raw(ByteView{scalar}), raw(ByteView{far}));
  });
  if (failed != 0) return std::nullopt;
  return product;
}

ByteBuffer transcript_ir(const Shares& shares) {
  return joined({encoded(shares.a), encoded(shares.b)});
}

ByteBuffer transcript_oc(const Shares& shares) {
  // Draft §5.3, o_cat: "oc", then both in descending order.
  ByteBuffer larger = encoded(shares.a);
  ByteBuffer smaller = encoded(shares.b);
  if (std::ranges::lexicographical_compare(larger, smaller)) std::swap(larger, smaller);
  return joined({as_bytes("oc"), larger, smaller});
}

SessionKey session_key(const KeyInput& input) {
  ByteBuffer text;
  text.reserve(256 + input.session.size() +
               input.transcript.size());  // not to leave a piece of it behind by growing
  append_with_length(text, as_bytes(kKeyDomain));
  append_with_length(text, input.session);
  append_with_length(text, input.shared.expose());
  text.insert(text.end(), input.transcript.begin(), input.transcript.end());
  auto key = SessionKey::written_by([&](std::span<std::byte, 64> out) {
    crypto_hash_sha512(raw(ByteSpan{out}), raw(ByteView{text}), text.size());
  });
  wipe(text);
  return key;
}

std::array<std::byte, 64> session_name(ByteView transcript) {
  const ByteBuffer text = joined({as_bytes(kNameDomain), transcript});
  std::array<std::byte, 64> name;
  crypto_hash_sha512(raw(ByteSpan{name}), raw(ByteView{text}), text.size());
  return name;
}

Scalar Scalar::random() {
  start_sodium();
  return Scalar{Secret<32>::written_by(
      [](std::span<std::byte, 32> out) { crypto_core_ristretto255_scalar_random(raw(ByteSpan{out})); })};
}

Exchange::Exchange(Role role, const Inputs& inputs, Scalar scalar)
    : role_(role),
      session_(to_buffer(inputs.session)),
      scalar_(std::move(scalar)),
      share_(scalar_mult(scalar_.expose(), calculate_generator(inputs).expose())) {}

Result<SessionKey> Exchange::finish(const Element& far_share, const AssociatedData& data) && {
  const auto shared = scalar_mult_vfy(scalar_.expose(), far_share);
  if (!shared) return fail(Errc::malformed, "The other side's key share is not a valid group element.");
  const bool first = role_ == Role::initiator;
  const ByteBuffer transcript =
      transcript_ir({.a = {.element = first ? share_ : far_share, .data = data.initiator},
                     .b = {.element = first ? far_share : share_, .data = data.responder}});
  return session_key({.session = session_, .shared = *shared, .transcript = transcript});
}

}  // namespace sluice::crypto::cpace
