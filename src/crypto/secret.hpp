#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iosfwd>
#include <span>

#include "core/bytes.hpp"

namespace sluice::crypto {

/// Overwrites bytes with zeros in a way that the compiler does not optimise away.
void wipe(ByteSpan bytes);

/// Compares without telling by its duration where the difference is. Views of unequal length are unequal.
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

/// N bytes that nobody else may see: wiped when they go, never printed, copied only where the code says
/// `clone`.
template <std::size_t N>
class Secret {
 public:
  explicit Secret(std::span<const std::byte, N> bytes) { std::ranges::copy(bytes, bytes_.begin()); }

  /// The secret that `write` puts into the N bytes that it is given, so that no copy is left elsewhere.
  template <std::invocable<std::span<std::byte, N>> Write>
  static Secret written_by(Write&& write) {
    Secret secret;
    write(std::span<std::byte, N>{secret.bytes_});
    return secret;
  }

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  [[nodiscard]] Secret clone() const { return Secret{expose()}; }

  /// The bytes themselves, for a computation; they live as long as this.
  [[nodiscard]] std::span<const std::byte, N> expose() const { return bytes_; }

  /// In constant time.
  bool operator==(const Secret& other) const { return equal_in_constant_time(bytes_, other.bytes_); }
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  Secret() = default;
  std::array<std::byte, N> bytes_{};
};

}  // namespace sluice::crypto
