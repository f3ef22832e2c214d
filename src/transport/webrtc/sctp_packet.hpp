#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>

#include "core/bytes.hpp"
#include "transport/webrtc/sctp.hpp"

/// What is read from and written to SCTP packets outside of the stack (RFC 9260 §3): the checksum, and which
/// payload goes out for the first time. Pure.
namespace sluice::webrtc {

/// Ports, verification tag, checksum (RFC 9260 §3.1).
inline constexpr std::size_t kSctpHeader = 12;

/// Writes the CRC-32C into bytes 8..11. Requires a whole header.
void fill_checksum(ByteSpan packet);
/// False also for what is shorter than a header.
[[nodiscard]] bool has_valid_checksum(ByteView packet);

/// Tells first transmissions from retransmissions by looking at a sender's own packets, since the stack does
/// not say how much of what it took is still unsent.
///
/// TSNs are handed out in the order of first transmission (RFC 9260 §6), so a DATA chunk is new exactly when
/// its TSN is serially greater than all before. I-DATA (RFC 8260) is never negotiated here and not looked at.
/// The packets are our own stack's: one that does not parse ends the walk.
class TransmitMeter {
 public:
  /// Calls `on_new` with each part of a message that goes out for the first time in this packet.
  template <std::invocable<const SctpTransmission&> F>
  void observe(ByteView packet, F&& on_new) {
    for (std::size_t at = kSctpHeader; at + kChunkHeader <= packet.size();) {
      const std::byte* chunk = packet.data() + at;
      const std::size_t length = load16(chunk + 2);
      if (length < kChunkHeader || length > packet.size() - at) return;
      if (chunk[0] == kData && length > kDataHeader) {
        const Bytes payload{length - kDataHeader};
        if (is_new(load32(chunk + 4))) {
          on_new(
              SctpTransmission{.stream = load16(chunk + 8), .ppid = load32(chunk + 12), .payload = payload});
        } else {
          retransmitted_ += payload;
        }
      }
      at += (length + 3) & ~std::size_t{3};  // Chunks are padded to four bytes (RFC 9260 §3.2).
    }
  }

  [[nodiscard]] Bytes retransmitted() const { return retransmitted_; }

 private:
  static constexpr std::size_t kChunkHeader = 4;
  static constexpr std::size_t kDataHeader = 16;  ///< RFC 9260 §3.3.1.
  static constexpr std::byte kData{0};

  static std::uint16_t load16(const std::byte* from) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[0]) << 8 |
                                      std::to_integer<unsigned>(from[1]));
  }
  static std::uint32_t load32(const std::byte* from) {
    return static_cast<std::uint32_t>(load16(from)) << 16 | load16(from + 2);
  }

  /// Serial number arithmetic (RFC 9260 §1.6, RFC 1982).
  bool is_new(std::uint32_t tsn) {
    if (highest_.has_value() && static_cast<std::int32_t>(tsn - *highest_) <= 0) return false;
    highest_ = tsn;
    return true;
  }

  std::optional<std::uint32_t> highest_;
  Bytes retransmitted_;
};

}  // namespace sluice::webrtc
