#pragma once

#include "core/bytes.hpp"

namespace sluice::crypto {

/// Makes libsodium ready, once for the process; any thread. Everything in this room that needs it calls it
/// itself.
void start_sodium();

/// Bytes as libsodium's functions take them.
inline const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* raw(ByteSpan bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace sluice::crypto
