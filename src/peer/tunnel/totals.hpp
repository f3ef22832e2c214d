#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/bytes.hpp"
#include "wire/tunnel/packet.hpp"

namespace sluice::tunnel {

/// Everything that a session drops without acting on it, by why: each is counted.
enum class Ignored : std::uint8_t {
  unknown_socket,  ///< For an id that never was, or ended long ago.
  closed_socket,   ///< For one that ended lately: it was on its way.
  duplicate,       ///< Its sequence number was here before, or it is the same HELLO again.
  stale_window,    ///< A WINDOW that a later one had overtaken.
  never_opened,    ///< Early packets whose CONNECT never came; counted once for each socket.
  after_end,       ///< What came after the session had ended.
};
inline constexpr std::size_t kIgnoredKinds = static_cast<std::size_t>(Ignored::after_end) + 1;
[[nodiscard]] std::string_view name_of(Ignored why);

/// CLOSEs by their reason; one that this version does not know counts as `internal`.
class CloseCounts {
 public:
  void count(wire::CloseReason reason) { ++counts_[index(reason)]; }
  [[nodiscard]] std::uint64_t of(wire::CloseReason reason) const { return counts_[index(reason)]; }
  [[nodiscard]] std::uint64_t all() const;

 private:
  static constexpr std::size_t kReasons = static_cast<std::size_t>(wire::CloseReason::internal) + 1;
  static std::size_t index(wire::CloseReason reason) {
    const auto value = static_cast<std::size_t>(reason);
    return value < kReasons ? value : kReasons - 1;
  }
  std::array<std::uint64_t, kReasons> counts_{};
};

/// What all streams of a session add up to; payload bytes, without any framing.
struct StreamTotals {
  Bytes sent;       ///< Read from sockets and given to the link.
  Bytes received;   ///< Came through the link, in order or early; duplicates are not counted.
  Bytes delivered;  ///< Written to sockets. At the end: received = delivered + discarded.
  Bytes discarded;  ///< Received for sockets that ended before they had taken it.
  Bytes held;       ///< Received, neither delivered nor discarded yet.
  Bytes held_peak;
  std::uint64_t data_sent = 0;  ///< Packets.
  std::uint64_t data_received = 0;
  std::uint64_t early = 0;   ///< Packets that had to wait for one before them.
  std::size_t waiting = 0;   ///< Of them, those that wait now.
  std::uint64_t opened = 0;  ///< Streams.
  std::uint64_t finished = 0;
  CloseCounts closes_sent;
  CloseCounts closes_received;
  std::array<std::uint64_t, kIgnoredKinds> ignored{};

  void ignore(Ignored why) { ++ignored[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t ignored_for(Ignored why) const {
    return ignored[static_cast<std::size_t>(why)];
  }
};

}  // namespace sluice::tunnel
