#pragma once

#include <concepts>
#include <cstddef>
#include <optional>

#include "core/bytes.hpp"

namespace sluice {

/// Reads big-endian integers and runs of bytes from the front of a view. Never reads past the end: each read
/// says `nullopt` when less is left than it needs, and then takes nothing.
class ByteReader {
 public:
  explicit constexpr ByteReader(ByteView bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  [[nodiscard]] constexpr std::optional<T> read() {
    if (rest_.size() < sizeof(T)) return std::nullopt;
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value =
          static_cast<T>(static_cast<std::uint64_t>(value) << 8 | std::to_integer<std::uint64_t>(rest_[i]));
    }
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }

  [[nodiscard]] constexpr std::optional<ByteView> read_bytes(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  /// What has not been read yet.
  [[nodiscard]] constexpr ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

/// Appends big-endian integers and runs of bytes to a buffer that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(ByteBuffer& out) : out_(out) {}

  template <std::unsigned_integral T>
  void write(T value) {
    for (std::size_t shift = sizeof(T) * 8; shift != 0; shift -= 8) {
      out_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (shift - 8)));
    }
  }
  void write_bytes(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

 private:
  ByteBuffer& out_;
};

}  // namespace sluice
