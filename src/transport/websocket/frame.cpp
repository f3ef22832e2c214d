#include "transport/websocket/frame.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "core/utf8.hpp"

namespace sluice::websocket {
namespace {

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kOpcode = 0x0F;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength = 0x7F;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;

std::uint8_t number(std::byte byte) {
  return std::to_integer<std::uint8_t>(byte);
}

FrameError protocol_error(std::string_view text) {
  return {.close_code = close_code::kProtocolError, .text = text};
}

std::size_t length_bytes(std::uint8_t length) {
  if (length == kLength16) return 2;
  return length == kLength64 ? 8 : 0;
}

std::size_t header_size(std::uint64_t payload) {
  if (payload < kLength16) return 2;
  return payload <= std::numeric_limits<std::uint16_t>::max() ? 4 : 10;
}

bool is_known(std::uint8_t opcode) {
  return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA);
}

}  // namespace

bool is_close_code(std::uint16_t code) {
  if (code >= 3000) return code < 5000;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

void apply_mask(ByteSpan bytes, Mask mask, std::uint64_t offset) {
  std::rotate(mask.begin(), mask.begin() + static_cast<std::ptrdiff_t>(offset % mask.size()), mask.end());
  std::array<std::byte, 8> twice{};
  std::ranges::copy(mask, twice.begin());
  std::ranges::copy(mask, twice.begin() + 4);
  std::uint64_t key = 0;
  std::memcpy(&key, twice.data(), sizeof key);
  std::size_t at = 0;
  for (; bytes.size() - at >= sizeof key; at += sizeof key) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    word ^= key;
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  for (std::size_t i = 0; at + i < bytes.size(); ++i) bytes[at + i] ^= mask.at(i % mask.size());
}

// --- reading

std::expected<std::optional<FrameEvent>, FrameError> FrameReader::next(ByteSpan& input) {
  if (std::exchange(delivered_, false)) release();
  while (!ended_) {
    if (!in_payload_) {
      const Step whole = read_header(input);
      if (!whole) return std::unexpected(end(whole.error()));
      if (!*whole) return std::nullopt;
    }
    const bool needs_more = taken_ < header_.size;
    if (needs_more && input.empty()) return std::nullopt;
    auto event = read_payload(input);
    if (!event) return std::unexpected(end(event.error()));
    if (*event) return event;
  }
  input = {};
  return std::nullopt;
}

FrameError FrameReader::end(FrameError error) {
  ended_ = true;
  release();
  return error;
}

void FrameReader::give_up() {
  ended_ = true;
  in_message_ = false;
  release();
}

void FrameReader::release() {
  // A control frame between fragments leaves what came of the message.
  if (!in_message_) message_ = ByteBuffer{};
  control_ = ByteBuffer{};
}

FrameReader::Step FrameReader::read_header(ByteSpan& input) {
  while (raw_size_ < header_length()) {
    if (input.empty()) return false;
    raw_.at(raw_size_++) = input.front();
    input = input.subspan(1);
    // The first two bytes tell most of what can be wrong, before the length has come.
    if (raw_size_ <= 2) {
      if (const auto error = check_start()) return std::unexpected(*error);
    }
  }
  if (const auto error = parse_header()) return std::unexpected(*error);
  raw_size_ = 0;
  taken_ = 0;
  in_payload_ = true;
  return true;
}

std::size_t FrameReader::header_length() const {
  if (raw_size_ < 2) return 2;
  const std::uint8_t second = number(raw_[1]);
  return 2 + length_bytes(second & kLength) + ((second & kMasked) != 0 ? sizeof(Mask) : 0);
}

std::optional<FrameError> FrameReader::check_start() const {
  const std::uint8_t first = number(raw_[0]);
  const std::uint8_t opcode = first & kOpcode;
  const bool control = opcode >= 0x8;
  if (raw_size_ == 1) {
    if ((first & kReserved) != 0) return protocol_error("reserved bits are set");
    if (!is_known(opcode)) return protocol_error("unknown opcode");
    if (control && (first & kFinal) == 0) return protocol_error("fragmented control frame");
    return check_kind(Opcode{opcode});
  }
  const std::uint8_t second = number(raw_[1]);
  const bool masked = (second & kMasked) != 0;
  if (options_.role == FrameReaderOptions::Role::server && !masked)
    return protocol_error("frame without a mask");
  if (options_.role == FrameReaderOptions::Role::client && masked) return protocol_error("masked frame");
  if (control && (second & kLength) > kMaxControlPayload) return protocol_error("control frame too long");
  return std::nullopt;
}

std::optional<FrameError> FrameReader::check_kind(Opcode opcode) const {
  using Accepts = FrameReaderOptions::Accepts;
  if (opcode == Opcode::continuation && !in_message_) return protocol_error("nothing to continue");
  if (opcode != Opcode::text && opcode != Opcode::binary) return std::nullopt;
  if (in_message_) return protocol_error("message inside another one");
  const Accepts kind = opcode == Opcode::text ? Accepts::text : Accepts::binary;
  if (options_.accepts != Accepts::both && options_.accepts != kind) {
    return FrameError{.close_code = close_code::kUnsupportedData, .text = "wrong kind of message"};
  }
  return std::nullopt;
}

std::optional<FrameError> FrameReader::parse_header() {
  const std::uint8_t first = number(raw_[0]);
  const std::uint8_t second = number(raw_[1]);
  ByteReader rest{ByteView{raw_}.subspan(2)};
  header_ = {.opcode = Opcode{static_cast<std::uint8_t>(first & kOpcode)},
             .final = (first & kFinal) != 0,
             .size = static_cast<std::uint64_t>(second & kLength)};
  // RFC 6455 §5.2: the shortest form, and the most significant bit of the longest is zero.
  if (header_.size == kLength16) {
    header_.size = *rest.read<std::uint16_t>();
    if (header_.size < kLength16) return protocol_error("length not in its shortest form");
  } else if (header_.size == kLength64) {
    header_.size = *rest.read<std::uint64_t>();
    if (header_.size <= std::numeric_limits<std::uint16_t>::max())
      return protocol_error("length not in its shortest form");
    if (header_.size >> 63 != 0) return protocol_error("length out of range");
  }
  if ((second & kMasked) != 0) std::ranges::copy(*rest.read_bytes(sizeof(Mask)), header_.mask.begin());
  if (is_control()) return std::nullopt;
  if (header_.opcode != Opcode::continuation) {
    in_message_ = true;
    kind_ = header_.opcode == Opcode::text ? MessageKind::text : MessageKind::binary;
  }
  if (Bytes{message_.size()} + Bytes{header_.size} > options_.max_message) {
    return FrameError{.close_code = close_code::kTooBig, .text = "message too large"};
  }
  return std::nullopt;
}

bool FrameReader::is_control() const {
  return header_.opcode >= Opcode::close;
}

std::expected<std::optional<FrameEvent>, FrameError> FrameReader::read_payload(ByteSpan& input) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(header_.size - taken_, input.size()));
  const ByteSpan piece = input.first(size);
  input = input.subspan(size);
  if (options_.role == FrameReaderOptions::Role::server) apply_mask(piece, header_.mask, taken_);
  const bool starts = taken_ == 0;
  taken_ += size;
  const bool whole = taken_ == header_.size;
  in_payload_ = !whole;

  if (is_control()) {
    if (whole && starts) return finish_control(piece);
    keep(control_, piece, header_.size - taken_);
    if (!whole) return std::nullopt;
    delivered_ = true;
    return finish_control(control_);
  }
  if (whole && !header_.final && Bytes{header_.size} < limits::kSmallFragment) ++small_fragments_;
  if (const auto error = take_data(piece)) return std::unexpected(*error);
  const bool ends = whole && header_.final;
  const auto kind = kind_ == MessageKind::text ? FrameEvent::Kind::text : FrameEvent::Kind::binary;
  if (ends && kind_ == MessageKind::text && !utf8_.at_boundary()) {
    return std::unexpected(
        FrameError{.close_code = close_code::kInvalidPayload, .text = "text is not UTF-8"});
  }
  if (ends && message_.empty()) {
    in_message_ = false;
    return FrameEvent{.kind = kind, .payload = piece};
  }
  keep(message_, piece, header_.size - taken_);
  if (!ends) return std::nullopt;
  in_message_ = false;
  delivered_ = true;
  return FrameEvent{.kind = kind, .payload = message_};
}

std::optional<FrameError> FrameReader::take_data(ByteView piece) {
  if (kind_ == MessageKind::text && !utf8_.take(piece)) {
    return FrameError{.close_code = close_code::kInvalidPayload, .text = "text is not UTF-8"};
  }
  return std::nullopt;
}

/// Grows with what came, not with what was announced, and never past that.
void FrameReader::keep(ByteBuffer& buffer, ByteView piece, std::uint64_t still_to_come) {
  const std::size_t needed = buffer.size() + piece.size();
  if (needed > buffer.capacity()) {
    const auto most = needed + static_cast<std::size_t>(still_to_come);
    buffer.reserve(std::min(most, std::max(needed, 2 * buffer.capacity())));
  }
  buffer.insert(buffer.end(), piece.begin(), piece.end());
}

std::expected<FrameEvent, FrameError> FrameReader::finish_control(ByteView payload) {
  if (header_.opcode == Opcode::ping) return FrameEvent{.kind = FrameEvent::Kind::ping, .payload = payload};
  if (header_.opcode == Opcode::pong) return FrameEvent{.kind = FrameEvent::Kind::pong, .payload = payload};
  FrameEvent event{.kind = FrameEvent::Kind::close, .payload = {}};
  if (!payload.empty()) {
    ByteReader reader{payload};
    const auto code = reader.read<std::uint16_t>();
    if (!code) return std::unexpected(protocol_error("close frame with one byte"));
    if (!is_close_code(*code)) return std::unexpected(protocol_error("invalid close code"));
    if (!is_utf8(as_text(reader.rest()))) {
      return std::unexpected(
          FrameError{.close_code = close_code::kInvalidPayload, .text = "close reason is not UTF-8"});
    }
    event.close_code = *code;
    event.payload = reader.rest();
  }
  ended_ = true;
  return event;
}

// --- writing

namespace {

struct Start {
  Opcode opcode;
  bool final;
  bool masked;
};

void append_start(ByteBuffer& out, Start start, std::uint64_t size) {
  ByteWriter writer{out};
  const std::uint8_t masked = start.masked ? kMasked : 0;
  writer.write(static_cast<std::uint8_t>((start.final ? kFinal : 0) | std::to_underlying(start.opcode)));
  if (size < kLength16) {
    writer.write(static_cast<std::uint8_t>(masked | size));
  } else if (size <= std::numeric_limits<std::uint16_t>::max()) {
    writer.write(static_cast<std::uint8_t>(masked | kLength16));
    writer.write(static_cast<std::uint16_t>(size));
  } else {
    writer.write(static_cast<std::uint8_t>(masked | kLength64));
    writer.write(size);
  }
}

}  // namespace

void append_header(ByteBuffer& out, Opcode opcode, std::uint64_t size) {
  append_start(out, {.opcode = opcode, .final = true, .masked = false}, size);
}

Frames encode_frames(MessageKind kind, std::span<const ByteView> messages) {
  std::size_t most = 0;
  for (const ByteView message : messages) most += header_size(message.size()) + message.size();
  ENSURE(most <= std::numeric_limits<std::uint32_t>::max());
  ByteBuffer bytes;
  bytes.reserve(most);
  std::vector<std::uint32_t> ends;
  ends.reserve(messages.size());
  const Opcode opcode = kind == MessageKind::text ? Opcode::text : Opcode::binary;
  for (const ByteView message : messages) {
    append_header(bytes, opcode, message.size());
    bytes.insert(bytes.end(), message.begin(), message.end());
    ends.push_back(static_cast<std::uint32_t>(bytes.size()));
  }
  return {std::move(bytes), std::move(ends)};
}

ByteBuffer encode_control(Opcode opcode, ByteView payload) {
  ENSURE(payload.size() <= kMaxControlPayload);
  ByteBuffer out;
  out.reserve(2 + payload.size());
  append_header(out, opcode, payload.size());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

ByteBuffer close_payload(std::uint16_t code, std::string_view reason) {
  ByteBuffer payload;
  if (code != close_code::kNoStatus) {
    ByteWriter writer{payload};
    writer.write(code);
    writer.write_bytes(as_bytes(utf8_prefix(reason, kMaxControlPayload - sizeof code)));
  }
  return payload;
}

ByteBuffer encode_close(std::uint16_t code, std::string_view reason) {
  return encode_control(Opcode::close, close_payload(code, reason));
}

void append_client_frame(ByteBuffer& out, const ClientFrame& frame) {
  append_start(out, {.opcode = frame.opcode, .final = frame.final, .masked = true}, frame.payload.size());
  out.insert(out.end(), frame.mask.begin(), frame.mask.end());
  const std::size_t begin = out.size();
  out.insert(out.end(), frame.payload.begin(), frame.payload.end());
  apply_mask(ByteSpan{out}.subspan(begin), frame.mask, 0);
}

std::optional<std::uint64_t> frame_size(ByteView frames) {
  ByteReader reader{frames};
  const auto first = reader.read<std::uint8_t>();
  const auto second = reader.read<std::uint8_t>();
  if (!first || !second) return std::nullopt;
  const std::uint8_t length = *second & kLength;
  std::uint64_t size = length;
  if (length == kLength16) {
    const auto longer = reader.read<std::uint16_t>();
    if (!longer) return std::nullopt;
    size = *longer;
  } else if (length == kLength64) {
    const auto longer = reader.read<std::uint64_t>();
    if (!longer) return std::nullopt;
    size = *longer;
  }
  return 2 + length_bytes(length) + ((*second & kMasked) != 0 ? sizeof(Mask) : 0) + size;
}

}  // namespace sluice::websocket
