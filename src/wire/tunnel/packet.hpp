#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "wire/tunnel/ids.hpp"

/// The packets of a tunnel session, one to a message of the channel. docs/wire/tunnel.md is the normative
/// page.
///
/// Pure. Decoding copies nothing: texts and payloads are views into the message and live as long as it does.
namespace sluice::wire {

enum class PacketType : std::uint8_t {
  hello = 0x00,
  connect = 0x01,
  data = 0x02,
  close = 0x03,
  accept = 0x04,
  window = 0x05,
  fin = 0x06,
};

/// Why both directions of a socket are over. Values are on the wire: never renumber. One that a newer peer
/// sends and this side does not know is kept as it is; it has the name "unknown" and is treated as
/// `internal`.
enum class CloseReason : std::uint8_t {
  normal = 0,          ///< Over; nothing went wrong.
  not_allowed = 1,     ///< The host's policy forbids this target.
  unknown_target = 2,  ///< The host has no target of that name.
  dial_failed = 3,     ///< The target's machine refused the connection.
  dial_timed_out = 4,  ///< The target did not answer in time.
  unreachable = 5,     ///< No route to the target, or its name does not resolve.
  reset = 6,           ///< The socket behind the sender was reset (TCP RST).
  protocol_error = 7,  ///< The other side broke a rule of this page for this socket.
  limit_reached = 8,   ///< Too many sockets, or no window left for one more.
  shutting_down = 9,   ///< The sender ends the session.
  stalled = 10,        ///< The socket behind the sender took nothing for too long.
  internal = 11,       ///< A failure of the sender's own.
};

/// The enumerators' own names, for events and logs; stable. "unknown" for what has none.
[[nodiscard]] std::string_view name_of(PacketType type);
[[nodiscard]] std::string_view name_of(CloseReason reason);

/// The version that this code speaks. A session speaks the lower one of both sides'.
inline constexpr std::uint8_t kVersion = 1;
/// type u8, socket id u32, sequence u32.
inline constexpr std::size_t kHeaderSize = 9;

/// What a side is and takes; the first packet of each side.
struct Hello {
  std::uint8_t version = kVersion;  ///< From 1.
  std::uint32_t features =
      0;  ///< A bit each; the session has those that both sides name. None is defined yet.
  std::uint32_t first_window = 0;     ///< Bytes that each of the sender's sockets takes before any WINDOW.
  std::uint32_t largest_payload = 0;  ///< Bytes of payload that the sender takes in one DATA.
  bool operator==(const Hello&) const = default;
};

/// Opens a socket; client to host only. It has sequence 0 in its direction.
struct Connect {
  SocketId socket;
  std::string_view target{};  ///< UTF-8, at most `limits::kMaxTargetName`; empty: the host's default.
  bool operator==(const Connect&) const = default;
};

struct Data {
  SocketId socket;
  Sequence sequence{};
  ByteView payload;  ///< 1 byte to `limits::kMaxPayload`.
};

/// Both directions are over. In its turn: what the sender sent before it is delivered first.
struct Close {
  SocketId socket;
  Sequence sequence{};
  CloseReason reason = CloseReason::normal;
  std::string_view text{};  ///< For a person; UTF-8, at most `limits::kMaxCloseText`, may be empty.
  bool operator==(const Close&) const = default;
};

/// The target's socket is connected; host to client only.
struct Accept {
  SocketId socket;
  Sequence sequence{};
  bool operator==(const Accept&) const = default;
};

/// Credit for the direction that the receiver of this packet sends in: it may have sent `total` plus the
/// first window, no more. Unsequenced; totals only grow, so the largest one seen counts whatever order they
/// come in.
struct Window {
  SocketId socket;
  std::uint64_t total = 0;
  bool operator==(const Window&) const = default;
};

/// The sender's direction is over, the other one goes on (half-close).
struct Fin {
  SocketId socket;
  Sequence sequence{};
  bool operator==(const Fin&) const = default;
};

using Packet = std::variant<Hello, Connect, Data, Close, Accept, Window, Fin>;

/// Payloads are compared by their bytes.
[[nodiscard]] bool operator==(const Data& a, const Data& b);

[[nodiscard]] PacketType type_of(const Packet& packet);
/// `kSession` for HELLO.
[[nodiscard]] SocketId socket_of(const Packet& packet);

/// The packet in a message. Never throws, whatever the bytes are.
/// Errors: `malformed`, with a sentence that names the packet, its socket and what is wrong with it.
[[nodiscard]] Result<Packet> decode(ByteView message);

/// Appends a packet's message to `out`. Requires what the fields' comments say: bound texts with
/// `check_target` and `fit_close_text` before, since they may come from a person or another program.
void encode(const Packet& packet, ByteBuffer& out);

/// What stands in front of a DATA payload that lies at its place already: header and payload are one message
/// then.
struct DataHeader {
  SocketId socket;
  Sequence sequence{};
};
void write_data_header(std::span<std::byte, kHeaderSize> out, DataHeader header);

/// Whether a name may be CONNECT's target. Errors: `invalid_argument` with what is wrong.
[[nodiscard]] Status check_target(std::string_view target);
/// As much of a text as a CLOSE may carry: cut at `limits::kMaxCloseText`, never inside a character, and
/// before the first byte that is not UTF-8.
[[nodiscard]] std::string_view fit_close_text(std::string_view text);

}  // namespace sluice::wire
