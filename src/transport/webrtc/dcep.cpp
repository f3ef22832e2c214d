#include "transport/webrtc/dcep.hpp"

#include <limits>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"

namespace sluice::webrtc {
namespace {

// RFC 8832 §8.2.1.
constexpr std::uint8_t kAck = 0x02;
constexpr std::uint8_t kOpen = 0x03;
/// Bit of the channel type that says unordered (RFC 8832 §5.1).
constexpr std::uint8_t kUnordered = 0x80;

Result<DcepMessage> parse_open(ByteReader reader) {
  const auto type = reader.read<std::uint8_t>();
  const auto priority = reader.read<std::uint16_t>();
  const auto parameter = reader.read<std::uint32_t>();
  const auto label_size = reader.read<std::uint16_t>();
  const auto protocol_size = reader.read<std::uint16_t>();
  if (!type || !priority || !parameter || !label_size || !protocol_size) {
    return fail(Errc::malformed, "a DATA_CHANNEL_OPEN ends too early");
  }
  const auto reliability = static_cast<std::uint8_t>(*type & ~kUnordered);
  if (reliability > static_cast<std::uint8_t>(Reliability::limited_lifetime)) {
    return fail(Errc::malformed, "a DATA_CHANNEL_OPEN names an unknown channel type");
  }
  const auto label = reader.read_bytes(*label_size);
  const auto protocol = reader.read_bytes(*protocol_size);
  if (!label || !protocol || !reader.rest().empty()) {
    return fail(Errc::malformed, "the lengths in a DATA_CHANNEL_OPEN do not fit its size");
  }
  return DcepOpen{.order = (*type & kUnordered) != 0 ? SctpOrder::unordered : SctpOrder::ordered,
                  .reliability = static_cast<Reliability>(reliability),
                  .priority = *priority,
                  .reliability_parameter = *parameter,
                  .label = std::string{as_text(*label)},
                  .protocol = std::string{as_text(*protocol)}};
}

void write_open(ByteWriter& writer, const DcepOpen& open) {
  constexpr std::size_t kLongest = std::numeric_limits<std::uint16_t>::max();
  ENSURE(open.label.size() <= kLongest && open.protocol.size() <= kLongest);
  const std::uint8_t order = open.order == SctpOrder::unordered ? kUnordered : 0;
  writer.write(kOpen);
  writer.write(static_cast<std::uint8_t>(static_cast<std::uint8_t>(open.reliability) | order));
  writer.write(open.priority);
  writer.write(open.reliability_parameter);
  writer.write(static_cast<std::uint16_t>(open.label.size()));
  writer.write(static_cast<std::uint16_t>(open.protocol.size()));
  writer.write_bytes(as_bytes(open.label));
  writer.write_bytes(as_bytes(open.protocol));
}

}  // namespace

Result<DcepMessage> parse_dcep(ByteView bytes) {
  ByteReader reader{bytes};
  const auto type = reader.read<std::uint8_t>();
  if (type == kOpen) return parse_open(reader);
  if (type != kAck) return fail(Errc::malformed, "an unknown DCEP message");
  if (!reader.rest().empty()) return fail(Errc::malformed, "a DATA_CHANNEL_ACK is one byte");
  return DcepAck{};
}

ByteBuffer write_dcep(const DcepMessage& message) {
  ByteBuffer bytes;
  ByteWriter writer{bytes};
  if (const auto* open = std::get_if<DcepOpen>(&message)) {
    write_open(writer, *open);
  } else {
    writer.write(kAck);
  }
  return bytes;
}

}  // namespace sluice::webrtc
