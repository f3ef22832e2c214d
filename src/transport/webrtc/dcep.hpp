#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "transport/webrtc/sctp.hpp"

/// The Data Channel Establishment Protocol (RFC 8832): how one side tells the other what a new stream is for.
/// Pure.
namespace sluice::webrtc {

/// SCTP's payload protocol identifiers for data channels (RFC 8831 §8). An empty message is one zero byte
/// under an identifier of its own, since SCTP cannot send none (RFC 8831 §6.6).
namespace ppid {
inline constexpr PayloadProtocol kDcep = 50;
inline constexpr PayloadProtocol kString = 51;
inline constexpr PayloadProtocol kBinary = 53;
inline constexpr PayloadProtocol kStringEmpty = 56;
inline constexpr PayloadProtocol kBinaryEmpty = 57;
}  // namespace ppid

/// How long a message of a channel is worth sending again (RFC 8832 §5.1, the channel type without its 0x80
/// bit).
enum class Reliability : std::uint8_t {
  reliable = 0x00,
  limited_retransmissions = 0x01,
  limited_lifetime = 0x02,
};

/// DATA_CHANNEL_OPEN (RFC 8832 §5.1).
struct DcepOpen {
  SctpOrder order = SctpOrder::ordered;
  Reliability reliability = Reliability::reliable;
  std::uint16_t priority = 0;
  std::uint32_t reliability_parameter = 0;  ///< Retransmissions or milliseconds; means nothing when reliable.
  std::string label{};                      ///< UTF-8 by rule, but not checked here. At most 65,535 bytes.
  std::string protocol{};                   ///< As the label.

  bool operator==(const DcepOpen&) const = default;
};

/// DATA_CHANNEL_ACK (RFC 8832 §5.2).
struct DcepAck {
  bool operator==(const DcepAck&) const = default;
};

using DcepMessage = std::variant<DcepOpen, DcepAck>;

/// Reads one message. Errors: `malformed` for an unknown type, wrong lengths or bytes left over.
[[nodiscard]] Result<DcepMessage> parse_dcep(ByteView bytes);

/// Writes one message. Requires a label and a protocol of at most 65,535 bytes each.
[[nodiscard]] ByteBuffer write_dcep(const DcepMessage& message);

}  // namespace sluice::webrtc
