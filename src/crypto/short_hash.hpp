#pragma once

#include <array>
#include <cstddef>

#include "core/bytes.hpp"

namespace sluice::crypto {

using ShortHash = std::array<std::byte, 16>;
using ShortHashKey = std::array<std::byte, 16>;

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF") of a short
/// message under a key. Allocates nothing; about 100 ns for 100 bytes.
///
/// For tables in memory: who does not know the key cannot find two messages with the same hash, or many with
/// similar ones. For what outlives the process or goes to others there is `KeyedHash`.
[[nodiscard]] ShortHash short_hash(ByteView message, const ShortHashKey& key);

}  // namespace sluice::crypto
