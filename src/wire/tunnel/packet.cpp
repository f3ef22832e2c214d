#include "wire/tunnel/packet.hpp"

#include <algorithm>
#include <concepts>
#include <string>
#include <type_traits>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"

namespace sluice::wire {

namespace {

/// The HELLO fields of version 1: version u8, features u32, first window u32, largest payload u32.
constexpr std::size_t kHelloSize = 13;

struct Header {
  PacketType type;
  SocketId socket;
  Sequence sequence;
};

std::unexpected<Error> malformed(const Header& header, std::string_view what) {
  std::string message{name_of(header.type)};
  if (header.socket != kSession) message += " for socket " + std::to_string(header.socket.value);
  message += ": ";
  message += what;
  return fail(Errc::malformed, std::move(message));
}

std::string too_long(std::size_t size, std::size_t limit) {
  return std::to_string(size) + " bytes, at most " + std::to_string(limit) + " are allowed";
}

Result<Packet> decode_hello(const Header& header, ByteView body) {
  if (body.size() < kHelloSize) return malformed(header, "cut short");
  if (body.size() > limits::kMaxHelloSize)
    return malformed(header, too_long(body.size(), limits::kMaxHelloSize));
  ByteReader reader{body};
  // Read in the order of the fields: braced initialisers are evaluated left to right.
  const Hello hello{.version = *reader.read<std::uint8_t>(),
                    .features = *reader.read<std::uint32_t>(),
                    .first_window = *reader.read<std::uint32_t>(),
                    .largest_payload = *reader.read<std::uint32_t>()};
  if (hello.version == 0) return malformed(header, "version 0 does not exist");
  if (hello.first_window < limits::kMinFirstWindow.count() ||
      hello.first_window > limits::kMaxWindow.count()) {
    return malformed(header,
                     "a first window of " + std::to_string(hello.first_window) + " bytes is out of range");
  }
  if (hello.largest_payload < limits::kMinLargestPayload.count()) {
    return malformed(header,
                     "a largest payload of " + std::to_string(hello.largest_payload) + " bytes is too small");
  }
  return hello;  // bytes after the known fields belong to newer versions
}

Result<Packet> decode_connect(const Header& header, ByteView body) {
  if (header.sequence != Sequence{}) return malformed(header, "its sequence number is not 0");
  if (body.size() > limits::kMaxTargetName)
    return malformed(header, too_long(body.size(), limits::kMaxTargetName));
  const std::string_view target = as_text(body);
  if (!is_utf8(target)) return malformed(header, "the target's name is not UTF-8");
  return Connect{.socket = header.socket, .target = target};
}

Result<Packet> decode_data(const Header& header, ByteView body) {
  if (body.empty()) return malformed(header, "no payload");
  if (size_of(body) > limits::kMaxPayload)
    return malformed(header, too_long(body.size(), limits::kMaxPayload.count()));
  return Data{.socket = header.socket, .sequence = header.sequence, .payload = body};
}

Result<Packet> decode_close(const Header& header, ByteView body) {
  if (body.empty()) return malformed(header, "cut short");
  const ByteView rest = body.subspan(1);
  if (rest.size() > limits::kMaxCloseText)
    return malformed(header, too_long(rest.size(), limits::kMaxCloseText));
  const std::string_view text = as_text(rest);
  if (!is_utf8(text)) return malformed(header, "the text is not UTF-8");
  return Close{.socket = header.socket,
               .sequence = header.sequence,
               .reason = static_cast<CloseReason>(body.front()),
               .text = text};
}

Result<Packet> decode_window(const Header& header, ByteView body) {
  if (header.sequence != Sequence{}) return malformed(header, "its sequence number is not 0");
  if (body.size() != sizeof(std::uint64_t)) return malformed(header, "not 8 bytes of payload");
  return Window{.socket = header.socket, .total = *ByteReader{body}.read<std::uint64_t>()};
}

template <std::unsigned_integral T>
void put(std::byte*& at, T value) {
  for (std::size_t shift = sizeof(T) * 8; shift != 0; shift -= 8) {
    *at++ = static_cast<std::byte>(value >> (shift - 8));
  }
}

void put_header(std::span<std::byte, kHeaderSize> out, const Header& header) {
  std::byte* at = out.data();
  *at++ = static_cast<std::byte>(header.type);
  put(at, header.socket.value);
  put(at, header.sequence.value);
}

/// Bodies only; the header is written by `encode`.
struct BodyEncoder {
  ByteWriter out;

  void operator()(const Hello& hello) {
    out.write(hello.version);
    out.write(hello.features);
    out.write(hello.first_window);
    out.write(hello.largest_payload);
  }
  void operator()(const Connect& connect) {
    ENSURE(check_target(connect.target).has_value());
    out.write_bytes(as_bytes(connect.target));
  }
  void operator()(const Data& data) {
    ENSURE(!data.payload.empty() && size_of(data.payload) <= limits::kMaxPayload);
    out.write_bytes(data.payload);
  }
  void operator()(const Close& close) {
    ENSURE(fit_close_text(close.text) == close.text);
    out.write(static_cast<std::uint8_t>(close.reason));
    out.write_bytes(as_bytes(close.text));
  }
  void operator()(const Window& window) { out.write(window.total); }
  void operator()(const Accept&) {}
  void operator()(const Fin&) {}
};

Sequence sequence_of(const Packet& packet) {
  return std::visit(
      [](const auto& p) {
        if constexpr (requires { p.sequence; }) return p.sequence;
        return Sequence{};
      },
      packet);
}

}  // namespace

std::string_view name_of(PacketType type) {
  switch (type) {
    case PacketType::hello:
      return "HELLO";
    case PacketType::connect:
      return "CONNECT";
    case PacketType::data:
      return "DATA";
    case PacketType::close:
      return "CLOSE";
    case PacketType::accept:
      return "ACCEPT";
    case PacketType::window:
      return "WINDOW";
    case PacketType::fin:
      return "FIN";
  }
  return "unknown";
}

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::normal:
      return "normal";
    case CloseReason::not_allowed:
      return "not_allowed";
    case CloseReason::unknown_target:
      return "unknown_target";
    case CloseReason::dial_failed:
      return "dial_failed";
    case CloseReason::dial_timed_out:
      return "dial_timed_out";
    case CloseReason::unreachable:
      return "unreachable";
    case CloseReason::reset:
      return "reset";
    case CloseReason::protocol_error:
      return "protocol_error";
    case CloseReason::limit_reached:
      return "limit_reached";
    case CloseReason::shutting_down:
      return "shutting_down";
    case CloseReason::stalled:
      return "stalled";
    case CloseReason::internal:
      return "internal";
  }
  return "unknown";
}

bool operator==(const Data& a, const Data& b) {
  return a.socket == b.socket && a.sequence == b.sequence && std::ranges::equal(a.payload, b.payload);
}

PacketType type_of(const Packet& packet) {
  constexpr PacketType kTypes[] = {PacketType::hello, PacketType::connect, PacketType::data,
                                   PacketType::close, PacketType::accept,  PacketType::window,
                                   PacketType::fin};
  static_assert(std::size(kTypes) == std::variant_size_v<Packet>);
  return kTypes[packet.index()];
}

SocketId socket_of(const Packet& packet) {
  return std::visit(
      [](const auto& p) {
        if constexpr (requires { p.socket; }) return p.socket;
        return kSession;
      },
      packet);
}

Result<Packet> decode(ByteView message) {
  if (message.size() < kHeaderSize) {
    return fail(Errc::malformed,
                "a packet of " + std::to_string(message.size()) + " bytes is shorter than its header");
  }
  ByteReader reader{message};
  const auto type = *reader.read<std::uint8_t>();
  if (type > static_cast<std::uint8_t>(PacketType::fin)) {
    return fail(Errc::malformed, "unknown packet type " + std::to_string(type));
  }
  const Header header{.type = static_cast<PacketType>(type),
                      .socket = {*reader.read<std::uint32_t>()},
                      .sequence = {*reader.read<std::uint32_t>()}};
  const ByteView body = reader.rest();
  if (header.type == PacketType::hello) {
    if (header.socket != kSession) return malformed(header, "it belongs to the session, not to a socket");
    if (header.sequence != Sequence{}) return malformed(header, "its sequence number is not 0");
    return decode_hello(header, body);
  }
  if (header.socket == kSession) return malformed(header, "no socket id");

  switch (header.type) {
    case PacketType::connect:
      return decode_connect(header, body);
    case PacketType::data:
      return decode_data(header, body);
    case PacketType::close:
      return decode_close(header, body);
    case PacketType::window:
      return decode_window(header, body);
    case PacketType::accept:
      if (!body.empty()) return malformed(header, "it has a payload");
      return Accept{.socket = header.socket, .sequence = header.sequence};
    case PacketType::fin:
      if (!body.empty()) return malformed(header, "it has a payload");
      return Fin{.socket = header.socket, .sequence = header.sequence};
    case PacketType::hello:
      break;
  }
  ENSURE(false);
}

void encode(const Packet& packet, ByteBuffer& out) {
  const Header header{.type = type_of(packet), .socket = socket_of(packet), .sequence = sequence_of(packet)};
  ENSURE((header.type == PacketType::hello) == (header.socket == kSession));
  const std::size_t start = out.size();
  out.resize(start + kHeaderSize);
  put_header(std::span<std::byte, kHeaderSize>{out.data() + start, kHeaderSize}, header);
  std::visit(BodyEncoder{ByteWriter{out}}, packet);
}

void write_data_header(std::span<std::byte, kHeaderSize> out, DataHeader header) {
  put_header(out, {.type = PacketType::data, .socket = header.socket, .sequence = header.sequence});
}

Status check_target(std::string_view target) {
  if (target.size() > limits::kMaxTargetName) {
    return fail(Errc::invalid_argument,
                "the target's name has " + too_long(target.size(), limits::kMaxTargetName));
  }
  if (!is_utf8(target)) return fail(Errc::invalid_argument, "the target's name is not UTF-8");
  return {};
}

std::string_view fit_close_text(std::string_view text) {
  return utf8_prefix(text, limits::kMaxCloseText);
}

}  // namespace sluice::wire
