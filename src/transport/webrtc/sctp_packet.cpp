#include "transport/webrtc/sctp_packet.hpp"

#include <algorithm>
#include <array>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"
#include "transport/webrtc/crc32c.hpp"

namespace sluice::webrtc {
namespace {

constexpr std::size_t kChecksumAt = 8;
using Checksum = std::array<std::byte, 4>;

/// As it is on the wire: computed with zeros in its own place, least significant byte first (RFC 9260
/// Appendix A).
Checksum checksum_of(ByteView packet) {
  static constexpr Checksum kZeros{};
  const std::uint32_t crc =
      Crc32c{}.add(packet.first(kChecksumAt)).add(kZeros).add(packet.subspan(kSctpHeader)).value();
  return {static_cast<std::byte>(crc), static_cast<std::byte>(crc >> 8), static_cast<std::byte>(crc >> 16),
          static_cast<std::byte>(crc >> 24)};
}

/// Chunks of a probe: types of RFC 9260 §3.2 and RFC 4820 §3.2, the parameter of RFC 9260 §3.3.6.
constexpr std::uint8_t kHeartbeat = 4;
constexpr std::byte kHeartbeatAck{5};
constexpr std::uint8_t kPad = 0x84;
constexpr std::uint16_t kHeartbeatInfo = 1;
/// Tells an answer to a probe from one to the stack's own heartbeat.
constexpr std::uint32_t kProbeMark = 0x504d5455;
constexpr std::size_t kProbeInfo = 12;
constexpr std::size_t kProbeHeartbeat = kSctpChunkHeader + kProbeInfo;

}  // namespace

std::vector<ByteBuffer> split_packet(ByteView packet, Bytes largest) {
  std::vector<ByteBuffer> parts;
  for_each_chunk(packet, [&](ByteView chunk) {
    const std::size_t padded = (chunk.size() + 3) & ~std::size_t{3};
    if (parts.empty() || parts.back().size() + padded > largest.count()) {
      parts.push_back(to_buffer(packet.first(kSctpHeader)));
    }
    ByteBuffer& part = parts.back();
    part.insert(part.end(), chunk.begin(), chunk.end());
    part.resize(part.size() + padded - chunk.size());
  });
  return parts;
}

ByteBuffer make_path_probe(ByteView header, Bytes size) {
  ENSURE(header.size() >= kSctpHeader && size.count() % 4 == 0 && size >= Bytes{64} && size < Bytes{65536});
  ByteBuffer packet;
  packet.reserve(size.count());
  ByteWriter writer{packet};
  writer.write_bytes(header.first(kSctpHeader));
  writer.write(kHeartbeat);
  writer.write(std::uint8_t{0});
  writer.write(static_cast<std::uint16_t>(kProbeHeartbeat));
  writer.write(kHeartbeatInfo);
  writer.write(static_cast<std::uint16_t>(kProbeInfo));
  writer.write(kProbeMark);
  writer.write(static_cast<std::uint32_t>(size.count()));
  writer.write(kPad);
  writer.write(std::uint8_t{0});
  writer.write(static_cast<std::uint16_t>(size.count() - kSctpHeader - kProbeHeartbeat));
  packet.resize(size.count());
  fill_checksum(packet);
  return packet;
}

std::optional<Bytes> answered_path_probe(ByteView packet) {
  std::optional<Bytes> size;
  for_each_chunk(packet, [&](ByteView chunk) {
    if (chunk[0] != kHeartbeatAck || chunk.size() != kProbeHeartbeat) return;
    ByteReader reader{chunk.subspan(kSctpChunkHeader)};
    const auto type = reader.read<std::uint16_t>();
    const auto length = reader.read<std::uint16_t>();
    const auto mark = reader.read<std::uint32_t>();
    const auto probed = reader.read<std::uint32_t>();
    if (type == kHeartbeatInfo && length == kProbeInfo && mark == kProbeMark) size = Bytes{*probed};
  });
  return size;
}

void fill_checksum(ByteSpan packet) {
  ENSURE(packet.size() >= kSctpHeader);
  std::ranges::copy(checksum_of(packet), packet.begin() + kChecksumAt);
}

bool has_valid_checksum(ByteView packet) {
  if (packet.size() < kSctpHeader) return false;
  return std::ranges::equal(checksum_of(packet), packet.subspan(kChecksumAt, sizeof(Checksum)));
}

}  // namespace sluice::webrtc
