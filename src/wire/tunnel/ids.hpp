#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace sluice::wire {

/// Names one tunnelled socket within a session; 0 is the session itself.
struct SocketId {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const SocketId&) const = default;
};
inline constexpr SocketId kSession{};

/// The place of a packet in one direction of one socket: 0, 1, 2, ... and after 2^32 - 1 again 0.
///
/// Compared as RFC 1982 §3.2 does, by distance and not by value. That is never ambiguous: every DATA packet
/// carries a byte at least, and no window exceeds `limits::kMaxWindow` = 2^30 bytes, so what is on its way is
/// far less than the half of the circle; and the channel is reliable, so nothing older is still about.
struct Sequence {
  std::uint32_t value = 0;

  constexpr bool operator==(const Sequence&) const = default;
  [[nodiscard]] constexpr Sequence next() const { return {value + 1}; }
  /// How many packets this one comes after `other`; negative when it comes before it.
  [[nodiscard]] constexpr std::int32_t ahead_of(Sequence other) const {
    return static_cast<std::int32_t>(value - other.value);
  }
};

}  // namespace sluice::wire

template <>
struct std::hash<sluice::wire::SocketId> {
  /// Ids are chosen by the peer: spread them, so that neighbours do not share a bucket chain.
  std::size_t operator()(sluice::wire::SocketId id) const noexcept {
    const std::uint64_t mixed = id.value * 0x9E3779B97F4A7C15U;
    return static_cast<std::size_t>(mixed ^ mixed >> 32);
  }
};
