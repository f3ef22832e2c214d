#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bytes.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

/// Fills with bytes of the system's cryptographic generator. Any thread; never fails.
void fill_random(ByteSpan out);

/// A random number below `limit`, all equally likely. `limit` is not 0.
[[nodiscard]] std::uint32_t random_below(std::uint32_t limit);

template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> random_bytes() {
  std::array<std::byte, N> bytes;
  fill_random(bytes);
  return bytes;
}

template <std::size_t N>
[[nodiscard]] Secret<N> random_secret() {
  return Secret<N>::written_by([](std::span<std::byte, N> out) { fill_random(out); });
}

}  // namespace sluice::crypto
