#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/bytes.hpp"
#include "core/frames.hpp"
#include "transport/message_socket.hpp"
#include "transport/websocket/utf8_stream.hpp"

/// Frames of RFC 6455, read and written. Sans-I/O; no extension is spoken.
namespace sluice::websocket {

using transport::MessageKind;

/// RFC 6455 §5.2.
enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

/// The codes of RFC 6455 §7.4.1 that this side says, and 1005, which stands for a close frame without any.
namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kUnsupportedData = 1003;
inline constexpr std::uint16_t kNoStatus = 1005;
inline constexpr std::uint16_t kInvalidPayload = 1007;
inline constexpr std::uint16_t kPolicy = 1008;
inline constexpr std::uint16_t kTooBig = 1009;
inline constexpr std::uint16_t kTryAgainLater = 1013;  ///< IANA's registry.
}  // namespace close_code

/// Whether a close frame may carry the code (RFC 6455 §7.4, and 1012 to 1014 of IANA's registry).
[[nodiscard]] bool is_close_code(std::uint16_t code);

inline constexpr std::size_t kMaxFrameHeader = 14;      ///< RFC 6455 §5.2: with a mask.
inline constexpr std::size_t kMaxControlPayload = 125;  ///< RFC 6455 §5.5.
using Mask = std::array<std::byte, 4>;

/// Applies the mask (RFC 6455 §5.3), or takes it off. `offset`: how far into the frame's payload this begins.
void apply_mask(ByteSpan bytes, Mask mask, std::uint64_t offset);

/// What a reader found. The payload ends with the next call of the reader, or with the input that it was in.
struct FrameEvent {
  enum class Kind : std::uint8_t { text, binary, ping, pong, close };
  Kind kind;
  ByteView payload;  ///< Of a close: the reason's text.
  std::uint16_t close_code = close_code::kNoStatus;
};

/// What the other side did wrong, and the code to close with.
struct FrameError {
  std::uint16_t close_code;
  std::string_view text;
};

struct FrameReaderOptions {
  enum class Role : std::uint8_t { server, client };
  enum class Accepts : std::uint8_t { text, binary, both };
  Role role =
      Role::server;     ///< Of this side: a server takes masked frames only, a client none (RFC 6455 §5.1).
  Bytes max_message{};  ///< All fragments together.
  Accepts accepts = Accepts::both;  ///< Messages of the other kind are refused with 1003.
};

/// Takes bytes as they come, cut anywhere, and gives whole messages and control frames.
///
/// Every rule is checked as soon as the bytes that break it are there, lengths before anything is allocated.
/// A message that is whole in the input is unmasked there and not copied. Bounded: one message of the largest
/// size; holds no memory between messages.
class FrameReader {
 public:
  explicit FrameReader(FrameReaderOptions options) : options_(options) {}

  /// Takes bytes from the front of `input`, which it changes, and returns the first event that they complete;
  /// nothing when the input is used up. After an error, or a close frame, it takes all input and says
  /// nothing.
  [[nodiscard]] std::expected<std::optional<FrameEvent>, FrameError> next(ByteSpan& input);
  /// From the next frame on.
  void set_max_message(Bytes most) { options_.max_message = most; }
  /// The memory of the part of a message that has come.
  [[nodiscard]] Bytes held() const { return Bytes{message_.capacity() + control_.capacity()}; }
  /// Lets it go; from now on it takes all input and says nothing.
  void give_up();
  /// Fragments of less than `limits::kSmallFragment` that were not the last of their message, since the last
  /// call: each costs its reader a header, and next to nothing its sender.
  [[nodiscard]] std::uint32_t take_small_fragments() { return std::exchange(small_fragments_, 0); }

 private:
  using Step = std::expected<bool, FrameError>;
  struct Header {
    Opcode opcode = Opcode::continuation;
    bool final = false;
    std::uint64_t size = 0;
    Mask mask{};
  };

  [[nodiscard]] Step read_header(ByteSpan& input);
  [[nodiscard]] std::optional<FrameError> check_start() const;
  [[nodiscard]] std::optional<FrameError> check_kind(Opcode opcode) const;
  [[nodiscard]] std::optional<FrameError> parse_header();
  [[nodiscard]] std::size_t header_length() const;
  [[nodiscard]] bool is_control() const;
  [[nodiscard]] std::expected<std::optional<FrameEvent>, FrameError> read_payload(ByteSpan& input);
  [[nodiscard]] std::optional<FrameError> take_data(ByteView piece);
  void keep(ByteBuffer& buffer, ByteView piece, std::uint64_t still_to_come);
  [[nodiscard]] std::expected<FrameEvent, FrameError> finish_control(ByteView payload);
  void release();
  FrameError end(FrameError error);

  FrameReaderOptions options_;
  std::array<std::byte, kMaxFrameHeader> raw_{};
  std::uint8_t raw_size_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;  ///< Its first fragment's header has come, its last byte has not.
  bool delivered_ = false;   ///< `message_` or `control_` was given out with the last call.
  bool ended_ = false;
  MessageKind kind_ = MessageKind::text;
  std::uint32_t small_fragments_ = 0;
  Utf8Stream utf8_;  ///< At a boundary between messages: one that ends elsewhere is an error.
  Header header_;
  std::uint64_t taken_ = 0;  ///< Of the payload of the frame in hand.
  ByteBuffer message_;       ///< What came of it and is no more in the input.
  ByteBuffer control_;
};

/// Appends the header of an unmasked frame that is a whole message, or a control frame.
void append_header(ByteBuffer& out, Opcode opcode, std::uint64_t size);

/// A server's frames, one for each message. Requires at least one, and less than 4 GiB together.
[[nodiscard]] Frames encode_frames(MessageKind kind, std::span<const ByteView> messages);

/// The payload of a close frame; without a code, for 1005, it is empty. A reason that is too long is cut
/// between characters.
[[nodiscard]] ByteBuffer close_payload(std::uint16_t code, std::string_view reason);

/// A server's control frame. Requires at most `kMaxControlPayload` bytes.
[[nodiscard]] ByteBuffer encode_control(Opcode opcode, ByteView payload);
/// A server's close frame.
[[nodiscard]] ByteBuffer encode_close(std::uint16_t code, std::string_view reason);

/// One fragment, as a client sends it. Masks are to be unpredictable (RFC 6455 §5.3).
struct ClientFrame {
  Opcode opcode = Opcode::text;
  ByteView payload{};
  Mask mask{};
  bool final = true;
};
void append_client_frame(ByteBuffer& out, const ClientFrame& frame);

/// The size of the frame at the start of the bytes, header and mask included; nothing when its header is not
/// all there.
[[nodiscard]] std::optional<std::uint64_t> frame_size(ByteView frames);

}  // namespace sluice::websocket
