#include "crypto/short_hash.hpp"

#include <sodium.h>

#include "crypto/sodium.hpp"

namespace sluice::crypto {

static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(ShortHash));
static_assert(crypto_shorthash_siphashx24_KEYBYTES == sizeof(ShortHashKey));

ShortHash short_hash(ByteView message, const ShortHashKey& key) {
  ShortHash hash;
  crypto_shorthash_siphashx24(raw(ByteSpan{hash}), raw(message), message.size(), raw(ByteView{key}));
  return hash;
}

}  // namespace sluice::crypto
