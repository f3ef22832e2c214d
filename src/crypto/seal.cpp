#include "crypto/seal.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <sodium.h>

#include "core/byte_io.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto {
namespace {

constexpr std::size_t kHeader = 8 + 4;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kSealOverhead == kHeader + kTag);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == kSealKeySize);

using Nonce = std::array<std::byte, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

/// The number in the last eight bytes: unique under its key because a sealer counts.
Nonce nonce_of(std::uint64_t number) {
  ByteBuffer bytes(sizeof(Nonce) - sizeof number);
  ByteWriter{bytes}.write(number);
  Nonce nonce;
  std::ranges::copy(bytes, nonce.begin());
  return nonce;
}

}  // namespace

ByteBuffer Sealer::seal(ByteView plain) {
  start_sodium();
  ByteBuffer out;
  ByteWriter writer{out};
  writer.write(next_);
  writer.write(static_cast<std::uint32_t>(plain.size()));
  out.resize(kHeader + plain.size() + kTag);
  const Nonce nonce = nonce_of(next_++);
  const ByteSpan whole{out};
  crypto_aead_xchacha20poly1305_ietf_encrypt(raw(whole.subspan(kHeader)), nullptr, raw(plain), plain.size(),
                                             raw(ByteView{whole}), kHeader, nullptr, raw(ByteView{nonce}),
                                             raw(ByteView{key_.expose()}));
  return out;
}

Result<ByteBuffer> Opener::open(ByteView sealed) {
  start_sodium();
  ByteReader reader{sealed};
  const auto number = reader.read<std::uint64_t>();
  const auto length = reader.read<std::uint32_t>();
  if (!number || !length || reader.rest().size() != *length + kTag) {
    return fail(Errc::malformed, "A sealed message is not as long as it says: it was cut short or added to.");
  }
  if (*number < next_) {
    return fail(Errc::protocol_violation,
                "Sealed message " + std::to_string(*number) + " came a second time.");
  }
  if (*number > next_) {
    return fail(Errc::protocol_violation, "Sealed message " + std::to_string(*number) + " came where " +
                                              std::to_string(next_) +
                                              " was due: one is missing or out of order.");
  }
  ByteBuffer plain(*length);
  const Nonce nonce = nonce_of(next_);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(ByteSpan{plain}), nullptr, nullptr, raw(reader.rest()),
                                                 reader.rest().size(), raw(sealed), kHeader,
                                                 raw(ByteView{nonce}), raw(ByteView{key_.expose()})) != 0) {
    return fail(Errc::wrong_code, "A sealed message was altered on its way, or sealed by somebody else.");
  }
  ++next_;
  return plain;
}

}  // namespace sluice::crypto
