#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "core/bytes.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

using Digest = std::array<std::byte, 32>;

/// BLAKE2b-256 (RFC 7693) over a list of fields, under a key or without one, for one purpose.
///
/// Each field, the purpose first, goes in behind its length (u32, big-endian), so that no two lists of fields
/// hash the same bytes. What was hashed is wiped with the object.
class KeyedHash {
 public:
  /// For instance "sluice/1 transcript". `key`: empty, or 16 to 64 bytes.
  explicit KeyedHash(std::string_view purpose, ByteView key = {});
  KeyedHash(const KeyedHash&) = delete;
  KeyedHash& operator=(const KeyedHash&) = delete;
  ~KeyedHash();

  KeyedHash& add(ByteView field);

  /// Ends the list. Once only, and nothing may be added after it.
  [[nodiscard]] Digest digest();
  /// The same, for a result that is itself a key.
  [[nodiscard]] Secret<32> key();

 private:
  struct State;
  void finish(std::span<std::byte, 32> out);

  std::unique_ptr<State> state_;
};

}  // namespace sluice::crypto
