#include "wire/tunnel/packet.hpp"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/limits.hpp"
#include "core/utf8.hpp"

namespace sluice::wire {
namespace {

ByteBuffer encoded(const Packet& packet) {
  ByteBuffer out;
  encode(packet, out);
  return out;
}

ByteBuffer bytes(std::initializer_list<int> values) {
  ByteBuffer out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

/// The sentence of the refusal; empty when the message decodes.
std::string refusal(const ByteBuffer& message) {
  const auto packet = decode(message);
  if (packet) return {};
  EXPECT_EQ(packet.error().code, Errc::malformed);
  return packet.error().message;
}

/// A header and a body of `size` bytes 'x'.
ByteBuffer with_body(PacketType type, std::size_t size) {
  ByteBuffer out = bytes({static_cast<int>(type), 0, 0, 0, 5, 0, 0, 0, 0});
  out.resize(out.size() + size, std::byte{'x'});
  return out;
}

/// One of each, as small as its kind allows, with every field set.
std::vector<Packet> samples() {
  static const ByteBuffer payload = bytes({0xDE, 0xAD});
  return {
      Hello{.version = 1, .features = 2, .first_window = 16384, .largest_payload = 65536},
      Connect{.socket = {7}, .target = "web"},
      Data{.socket = {7}, .sequence = {1}, .payload = payload},
      Close{.socket = {7}, .sequence = {9}, .reason = CloseReason::reset, .text = "gone"},
      Accept{.socket = {7}, .sequence = {0}},
      Window{.socket = {7}, .total = 0x0102030405060708},
      Fin{.socket = {7}, .sequence = {0xFFFFFFFF}},
  };
}

std::string any_text(std::size_t limit) {
  return std::string{utf8_prefix(*rc::gen::arbitrary<std::string>(), limit)};
}

/// Any packet that may be encoded; its views point into `text` and `payload`.
Packet any_packet(std::string& text, ByteBuffer& payload) {
  const SocketId socket{*rc::gen::inRange<std::uint32_t>(1, 0xFFFFFFFF)};
  const Sequence sequence{*rc::gen::arbitrary<std::uint32_t>()};
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      return Hello{.version = *rc::gen::inRange<std::uint8_t>(1, 255),
                   .features = *rc::gen::arbitrary<std::uint32_t>(),
                   .first_window = *rc::gen::inRange<std::uint32_t>(1024, 1U << 30),
                   .largest_payload = *rc::gen::inRange<std::uint32_t>(1024, 0xFFFFFFFF)};
    case 1:
      text = any_text(limits::kMaxTargetName);
      return Connect{.socket = socket, .target = text};
    case 2:
      payload.assign(*rc::gen::inRange<std::size_t>(1, 65537), std::byte{0x5A});
      return Data{.socket = socket, .sequence = sequence, .payload = payload};
    case 3:
      text = any_text(limits::kMaxCloseText);
      return Close{.socket = socket,
                   .sequence = sequence,
                   .reason = static_cast<CloseReason>(*rc::gen::inRange(0, 256)),
                   .text = text};
    case 4:
      return Accept{.socket = socket, .sequence = sequence};
    case 5:
      return Window{.socket = socket, .total = *rc::gen::arbitrary<std::uint64_t>()};
    default:
      return Fin{.socket = socket, .sequence = sequence};
  }
}

TEST(TunnelPacket, LiesOnTheWireAsThePageSays) {
  const auto all = samples();
  EXPECT_EQ(encoded(all[0]), bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 64, 0, 0, 1, 0, 0}));
  EXPECT_EQ(encoded(all[1]), bytes({1, 0, 0, 0, 7, 0, 0, 0, 0, 'w', 'e', 'b'}));
  EXPECT_EQ(encoded(all[2]), bytes({2, 0, 0, 0, 7, 0, 0, 0, 1, 0xDE, 0xAD}));
  EXPECT_EQ(encoded(all[3]), bytes({3, 0, 0, 0, 7, 0, 0, 0, 9, 6, 'g', 'o', 'n', 'e'}));
  EXPECT_EQ(encoded(all[4]), bytes({4, 0, 0, 0, 7, 0, 0, 0, 0}));
  EXPECT_EQ(encoded(all[5]), bytes({5, 0, 0, 0, 7, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(encoded(all[6]), bytes({6, 0, 0, 0, 7, 255, 255, 255, 255}));
}

TEST(TunnelPacket, DecodesWhatWasEncoded) {
  EXPECT_TRUE(rc::check([] {
    std::string text;
    ByteBuffer payload;
    const Packet packet = any_packet(text, payload);
    const ByteBuffer message = encoded(packet);
    const auto back = decode(message);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == packet);
  }));
}

TEST(TunnelPacket, RefusesEveryTruncationOfEveryKindOrDecodesAShorterValidOne) {
  for (const Packet& packet : samples()) {
    const ByteBuffer whole = encoded(packet);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ByteBuffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto back = decode(cut);
      // A name, a payload and a text may be shorter; nothing else may.
      const auto type = type_of(packet);
      const bool shorter_is_valid = (type == PacketType::connect && size >= kHeaderSize) ||
                                    (type == PacketType::data && size > kHeaderSize) ||
                                    (type == PacketType::close && size > kHeaderSize);
      EXPECT_EQ(back.has_value(), shorter_is_valid) << name_of(type) << " cut to " << size;
      if (back) {
        EXPECT_EQ(encoded(*back), cut);
      }
    }
  }
}

TEST(TunnelPacket, NeverThrowsWhateverTheBytesAre) {
  EXPECT_TRUE(rc::check([](std::vector<std::uint8_t> noise) {
    if (!noise.empty()) noise[0] = static_cast<std::uint8_t>(noise[0] % 9);
    const auto packet = decode(std::as_bytes(std::span{noise}));
    RC_ASSERT(packet.has_value() || packet.error().code == Errc::malformed);
  }));
}

TEST(TunnelPacket, NamesWhatIsWrong) {
  EXPECT_EQ(refusal(bytes({2, 0, 0})), "a packet of 3 bytes is shorter than its header");
  EXPECT_EQ(refusal(bytes({7, 0, 0, 0, 1, 0, 0, 0, 0})), "unknown packet type 7");
  EXPECT_EQ(refusal(with_body(PacketType::data, 0)), "DATA for socket 5: no payload");
  EXPECT_EQ(refusal(with_body(PacketType::data, 65537)),
            "DATA for socket 5: 65537 bytes, at most 65536 are allowed");
  EXPECT_EQ(refusal(with_body(PacketType::fin, 1)), "FIN for socket 5: it has a payload");
  EXPECT_EQ(refusal(with_body(PacketType::accept, 1)), "ACCEPT for socket 5: it has a payload");
  EXPECT_EQ(refusal(with_body(PacketType::window, 9)), "WINDOW for socket 5: not 8 bytes of payload");
  EXPECT_EQ(refusal(with_body(PacketType::connect, 256)),
            "CONNECT for socket 5: 256 bytes, at most 255 are allowed");
  EXPECT_EQ(refusal(with_body(PacketType::close, 258)),
            "CLOSE for socket 5: 257 bytes, at most 256 are allowed");
}

TEST(TunnelPacket, TakesTheLargestOfEachKind) {
  EXPECT_EQ(refusal(with_body(PacketType::data, 65536)), "");
  EXPECT_EQ(refusal(with_body(PacketType::connect, 255)), "");
  EXPECT_EQ(refusal(with_body(PacketType::close, 257)), "");
}

TEST(TunnelPacket, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(refusal(bytes({1, 0, 0, 0, 5, 0, 0, 0, 0, 0xC0, 0x80})),
            "CONNECT for socket 5: the target's name is not UTF-8");
  EXPECT_EQ(refusal(bytes({3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0xFF})),
            "CLOSE for socket 5: the text is not UTF-8");
}

TEST(TunnelPacket, RefusesASocketIdOrASequenceNumberWhereNoneBelongs) {
  for (const Packet& packet : samples()) {
    ByteBuffer message = encoded(packet);
    const bool hello = type_of(packet) == PacketType::hello;
    message[4] = std::byte{hello ? std::uint8_t{1} : std::uint8_t{0}};
    EXPECT_NE(refusal(message), "") << name_of(type_of(packet));
  }
  for (const std::size_t unsequenced : {0U, 1U, 5U}) {
    ByteBuffer message = encoded(samples()[unsequenced]);
    message[8] = std::byte{1};
    EXPECT_NE(refusal(message), "");
  }
}

TEST(TunnelPacket, RefusesAHelloThatNobodyCouldWorkWith) {
  const Hello good{.first_window = 16384, .largest_payload = 16384};
  const auto refused = [](Hello hello) { return refusal(encoded(hello)) != ""; };
  EXPECT_FALSE(refused(good));
  for (const auto& [version, window, payload] : std::vector<std::array<std::uint32_t, 3>>{
           {0, 16384, 16384}, {1, 0, 16384}, {1, 1023, 16384}, {1, (1U << 30) + 1, 16384}, {1, 16384, 0}}) {
    EXPECT_TRUE(refused(
        {.version = static_cast<std::uint8_t>(version), .first_window = window, .largest_payload = payload}));
  }
}

TEST(TunnelPacket, IgnoresWhatANewerHelloHasBehindTheKnownFields) {
  const Hello hello{.version = 9, .features = 0xFFFFFFFF, .first_window = 16384, .largest_payload = 16384};
  ByteBuffer message = encoded(hello);
  message.resize(message.size() + 1000);
  EXPECT_EQ(std::get<Hello>(decode(message).value()), hello);
  message.resize(message.size() + 100);
  EXPECT_NE(refusal(message), "");
}

TEST(TunnelPacket, KeepsACloseReasonThatItDoesNotKnow) {
  const ByteBuffer message = bytes({3, 0, 0, 0, 5, 0, 0, 0, 0, 200});
  const auto close = std::get<Close>(decode(message).value());
  EXPECT_EQ(static_cast<int>(close.reason), 200);
  EXPECT_EQ(name_of(close.reason), "unknown");
}

TEST(TunnelPacket, WritesADataHeaderInFrontOfAPayloadInPlace) {
  ByteBuffer buffer(kHeaderSize + 3, std::byte{'p'});
  write_data_header(std::span{buffer}.first<kHeaderSize>(), {.socket = {0x01020304}, .sequence = {5}});
  const auto data = std::get<Data>(decode(buffer).value());
  EXPECT_EQ(data.socket.value, 0x01020304U);
  EXPECT_EQ(data.sequence.value, 5U);
  EXPECT_EQ(data.payload.data(), buffer.data() + kHeaderSize);  // a view, not a copy
  EXPECT_EQ(as_text(data.payload), "ppp");
}

TEST(TunnelPacket, BoundsTextsThatComeFromElsewhere) {
  EXPECT_TRUE(check_target(std::string(255, 'a')));
  EXPECT_FALSE(check_target(std::string(256, 'a')));
  EXPECT_FALSE(check_target("\xFF"));
  EXPECT_EQ(fit_close_text(std::string(255, 'a') + "\xC3\xA4"), std::string(255, 'a'));
}

TEST(Sequence, ComparesAcrossTheWrap) {
  const Sequence last{0xFFFFFFFF};
  EXPECT_EQ(last.next(), Sequence{0});
  EXPECT_EQ(last.next().ahead_of(last), 1);
  EXPECT_EQ(last.ahead_of(Sequence{3}), -4);
}

}  // namespace
}  // namespace sluice::wire
