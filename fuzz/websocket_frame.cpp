// Whatever a client sends, in whatever pieces: no crash, the same events however it is cut, no message beyond
// the limit, a valid code with each refusal, and what was read is read again after it was written.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ensure.hpp"
#include "core/utf8.hpp"
#include "transport/websocket/frame.hpp"

namespace {

using namespace sluice;
using websocket::FrameEvent;
using websocket::FrameReaderOptions;

constexpr Bytes kMaxMessage{512};

struct Seen {
  FrameEvent::Kind kind;
  std::string payload;
  std::uint16_t code;
  bool operator==(const Seen&) const = default;
};
struct Outcome {
  std::vector<Seen> events{};
  std::uint16_t error = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read(FrameReaderOptions::Role role, ByteView bytes, std::size_t piece) {
  websocket::FrameReader reader{{.role = role, .max_message = kMaxMessage}};
  Outcome outcome;
  while (!bytes.empty()) {
    ByteBuffer copy = to_buffer(bytes.first(std::min(piece, bytes.size())));
    bytes = bytes.subspan(copy.size());
    for (ByteSpan input{copy};;) {
      const auto event = reader.next(input);
      if (!event) {
        outcome.error = event.error().close_code;
        ENSURE(websocket::is_close_code(outcome.error));
        return outcome;
      }
      if (!*event) break;
      const FrameEvent& found = **event;
      outcome.events.push_back(
          {.kind = found.kind, .payload = std::string{as_text(found.payload)}, .code = found.close_code});
      ENSURE(size_of(found.payload) <= kMaxMessage);
      ENSURE(found.kind != FrameEvent::Kind::text || is_utf8(as_text(found.payload)));
    }
  }
  return outcome;
}

/// The same as a server would send it.
ByteBuffer write(const Seen& seen) {
  const ByteView payload = as_bytes(seen.payload);
  switch (seen.kind) {
    case FrameEvent::Kind::ping:
      return websocket::encode_control(websocket::Opcode::ping, payload);
    case FrameEvent::Kind::pong:
      return websocket::encode_control(websocket::Opcode::pong, payload);
    case FrameEvent::Kind::close:
      return websocket::encode_close(seen.code, seen.payload);
    case FrameEvent::Kind::text:
    case FrameEvent::Kind::binary:
      break;
  }
  const auto kind =
      seen.kind == FrameEvent::Kind::text ? transport::MessageKind::text : transport::MessageKind::binary;
  return to_buffer(websocket::encode_frames(kind, std::span{&payload, 1}).bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  using Role = FrameReaderOptions::Role;
  const ByteView bytes = std::as_bytes(std::span{data + 1, size - 1});
  const std::size_t piece = data[0] % 64 + std::size_t{1};
  for (const Role role : {Role::server, Role::client}) {
    const Outcome whole = read(role, bytes, size);
    ENSURE(read(role, bytes, piece) == whole);
    ENSURE(read(role, bytes, 1) == whole);
    for (const Seen& seen : whole.events) {
      const Outcome again = read(Role::client, write(seen), size + 16);
      ENSURE(again.error == 0 && again.events.size() == 1 && again.events.front() == seen);
    }
  }
  return 0;
}
