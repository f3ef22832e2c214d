#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace sluice {

/// An amount of bytes: never a count of items, never an offset into something else.
///
/// Addition saturates at the largest amount and subtraction at nothing, so that a limit that is compared with
/// a sum cannot be passed by overflow. Where going below nothing would be a bug of ours, the caller says so
/// with ENSURE.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t count) : count_(count) {}

  /// The amount as a plain number, for arithmetic with what is not an amount and for system calls.
  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
  [[nodiscard]] static constexpr Bytes max() { return Bytes{std::numeric_limits<std::uint64_t>::max()}; }

  constexpr auto operator<=>(const Bytes&) const = default;

  constexpr Bytes& operator+=(Bytes other) {
    count_ = other.count_ > max().count_ - count_ ? max().count_ : count_ + other.count_;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes other) {
    count_ -= std::min(count_, other.count_);
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend constexpr Bytes operator*(Bytes a, std::uint64_t times) {
    return times != 0 && a.count_ > max().count_ / times ? max() : Bytes{a.count_ * times};
  }
  friend constexpr Bytes operator/(Bytes a, std::uint64_t parts) { return Bytes{a.count_ / parts}; }

 private:
  std::uint64_t count_ = 0;
};

namespace literals {
constexpr Bytes operator""_B(unsigned long long n) {
  return Bytes{n};
}
constexpr Bytes operator""_KiB(unsigned long long n) {
  return Bytes{n} * 1024;
}
constexpr Bytes operator""_MiB(unsigned long long n) {
  return Bytes{n} * 1024 * 1024;
}
}  // namespace literals

/// Bytes that somebody else owns, to read from or to write into.
using ByteView = std::span<const std::byte>;
using ByteSpan = std::span<std::byte>;
/// Bytes of one's own.
using ByteBuffer = std::vector<std::byte>;

inline Bytes size_of(ByteView view) {
  return Bytes{view.size()};
}

/// The bytes of a text and the text of some bytes, neither copied: the view lives as long as what it was made
/// from.
inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text});
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteBuffer to_buffer(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace sluice
