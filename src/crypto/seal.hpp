#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

inline constexpr std::size_t kSealKeySize = 32;
using SealKey = Secret<kSealKeySize>;

/// What sealing adds to a message: counter (u64), length (u32), and the authentication tag behind the
/// ciphertext.
inline constexpr std::size_t kSealOverhead = 8 + 4 + 16;

/// Seals one direction's messages, numbered from 0: XChaCha20-Poly1305 (libsodium), the number being the
/// nonce, number and length authenticated with the text. A key serves one sealer only, and each direction has
/// a key of its own, so that a message sent back to its sender does not open.
class Sealer {
 public:
  explicit Sealer(SealKey key) : key_(std::move(key)) {}
  [[nodiscard]] ByteBuffer seal(ByteView plain);

 private:
  SealKey key_;
  std::uint64_t next_ = 0;
};

/// Opens what the other side sealed: exactly the next message, in order, unaltered.
class Opener {
 public:
  explicit Opener(SealKey key) : key_(std::move(key)) {}

  /// Errors, each with a sentence of its own, none of which changes what is expected next:
  /// `malformed`           shorter or longer than it says of itself (truncated, or with something behind it);
  /// `protocol_violation`  its number is past (a replay) or ahead (one before it is missing, or they changed
  /// places); `wrong_code`          it was not sealed with this key, or altered since.
  [[nodiscard]] Result<ByteBuffer> open(ByteView sealed);

 private:
  SealKey key_;
  std::uint64_t next_ = 0;
};

}  // namespace sluice::crypto
