#include "crypto/sodium.hpp"

#include <sodium.h>

#include "core/ensure.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

void start_sodium() {
  // Fails only where the system has no source of randomness: nothing here could be trusted then.
  static const int started = sodium_init();
  ENSURE(started >= 0);
}

void wipe(ByteSpan bytes) {
  sodium_memzero(bytes.data(), bytes.size());
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sluice::crypto
