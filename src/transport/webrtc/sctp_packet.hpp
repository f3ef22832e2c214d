#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "transport/webrtc/sctp.hpp"

/// What is read from and written to SCTP packets outside of the stack (RFC 9260 §3): the checksum, which
/// payload goes out for the first time, and packets that try how large a packet may be. Pure.
namespace sluice::webrtc {

/// Ports, verification tag, checksum (RFC 9260 §3.1).
inline constexpr std::size_t kSctpHeader = 12;
/// Type, flags, length (RFC 9260 §3.2).
inline constexpr std::size_t kSctpChunkHeader = 4;
/// What a DATA chunk has before its payload (RFC 9260 §3.3.1).
inline constexpr std::size_t kSctpDataHeader = 16;

/// Writes the CRC-32C into bytes 8..11. Requires a whole header.
void fill_checksum(ByteSpan packet);
/// False also for what is shorter than a header.
[[nodiscard]] bool has_valid_checksum(ByteView packet);

/// Calls `on_chunk` with each chunk of a packet, without its padding. What does not parse ends the walk.
template <std::invocable<ByteView> F>
void for_each_chunk(ByteView packet, F&& on_chunk) {
  for (std::size_t at = kSctpHeader; at + kSctpChunkHeader <= packet.size();) {
    const std::size_t length =
        std::to_integer<std::size_t>(packet[at + 2]) << 8 | std::to_integer<std::size_t>(packet[at + 3]);
    if (length < kSctpChunkHeader || length > packet.size() - at) return;
    on_chunk(packet.subspan(at, length));
    at += (length + 3) & ~std::size_t{3};  // Chunks are padded to four bytes (RFC 9260 §3.2).
  }
}

/// The chunks of one packet in packets of at most `largest`, in their order; a chunk that is too large alone
/// is a packet of its own. The checksums are still to be filled in.
std::vector<ByteBuffer> split_packet(ByteView packet, Bytes largest);

/// A packet of just this size that every SCTP answers: a HEARTBEAT, and a PAD chunk (RFC 4820), which is
/// skipped where it is not known. `header` is that of any packet of the association. Requires: a size that is
/// a multiple of four and between 64 and 65,535.
ByteBuffer make_path_probe(ByteView header, Bytes size);
/// The size of the probe that a chunk of this packet answers.
std::optional<Bytes> answered_path_probe(ByteView packet);

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
    for_each_chunk(packet, [&](ByteView chunk) {
      if (chunk[0] != kData || chunk.size() <= kSctpDataHeader) return;
      const Bytes payload{chunk.size() - kSctpDataHeader};
      if (is_new(load32(chunk.data() + 4))) {
        transmitted_ += payload;
        on_new(SctpTransmission{
            .stream = load16(chunk.data() + 8), .ppid = load32(chunk.data() + 12), .payload = payload});
      } else {
        retransmitted_ += payload;
      }
    });
  }

  [[nodiscard]] Bytes transmitted() const { return transmitted_; }
  [[nodiscard]] Bytes retransmitted() const { return retransmitted_; }

 private:
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
  Bytes transmitted_;
  Bytes retransmitted_;
};

}  // namespace sluice::webrtc
