#include "peer/tunnel/socket_id.hpp"

namespace sluice::tunnel {

std::uint32_t socket_hash(ByteView four_tuple) {
  // FNV-1a with 64 bits (draft-eastlake-fnv), folded: the upper half is the better mixed one.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte byte : four_tuple) {
    hash ^= std::to_integer<std::uint64_t>(byte);
    hash *= 0x100000001b3U;
  }
  return static_cast<std::uint32_t>(hash >> 32 ^ hash);
}

}  // namespace sluice::tunnel
