#include "transport/webrtc/sctp_packet.hpp"

#include <algorithm>
#include <array>

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

}  // namespace

void fill_checksum(ByteSpan packet) {
  ENSURE(packet.size() >= kSctpHeader);
  std::ranges::copy(checksum_of(packet), packet.begin() + kChecksumAt);
}

bool has_valid_checksum(ByteView packet) {
  if (packet.size() < kSctpHeader) return false;
  return std::ranges::equal(checksum_of(packet), packet.subspan(kChecksumAt, sizeof(Checksum)));
}

}  // namespace sluice::webrtc
