#include "transport/websocket/frame.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::websocket {
namespace {

using namespace literals;
using Kind = FrameEvent::Kind;
using Role = FrameReaderOptions::Role;
using Accepts = FrameReaderOptions::Accepts;
constexpr Mask kMask{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}};
constexpr FrameReaderOptions kServer{
    .role = Role::server, .max_message = 100'000_B, .accepts = Accepts::both};
constexpr FrameReaderOptions kClient{
    .role = Role::client, .max_message = 100'000_B, .accepts = Accepts::both};

struct Seen {
  Kind kind;
  std::string payload;
  std::uint16_t code = close_code::kNoStatus;
  bool operator==(const Seen&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << static_cast<int>(seen.kind) << ' ' << seen.code << " '" << seen.payload.substr(0, 200) << "'";
}

struct Outcome {
  std::vector<Seen> events{};
  std::uint16_t error = 0;
};

/// Gives each piece to the reader in turn; a piece's memory is gone before the next one comes.
Outcome read_pieces(FrameReaderOptions options, const std::vector<ByteView>& pieces) {
  FrameReader reader{options};
  Outcome outcome;
  for (const ByteView piece : pieces) {
    ByteBuffer copy = to_buffer(piece);
    ByteSpan input{copy};
    for (;;) {
      const auto event = reader.next(input);
      if (!event) {
        outcome.error = event.error().close_code;
        EXPECT_FALSE(event.error().text.empty());
        return outcome;
      }
      if (!*event) break;
      outcome.events.push_back({.kind = (*event)->kind,
                                .payload = std::string{as_text((*event)->payload)},
                                .code = (*event)->close_code});
    }
    EXPECT_TRUE(input.empty());
  }
  return outcome;
}

/// All in one piece, in two at every place, and byte by byte: always the same.
Outcome read(FrameReaderOptions options, ByteView bytes) {
  const Outcome whole = read_pieces(options, {bytes});
  for (std::size_t cut = 0; cut <= bytes.size() && bytes.size() < 2000; ++cut) {
    const Outcome split = read_pieces(options, {bytes.first(cut), bytes.subspan(cut)});
    EXPECT_EQ(split.events, whole.events) << "cut at " << cut;
    EXPECT_EQ(split.error, whole.error) << "cut at " << cut;
  }
  std::vector<ByteView> single;
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.subspan(i, 1));
  const Outcome bytewise = read_pieces(options, single);
  EXPECT_EQ(bytewise.events, whole.events);
  EXPECT_EQ(bytewise.error, whole.error);
  return whole;
}

ByteBuffer raw(std::initializer_list<int> bytes) {
  ByteBuffer out;
  for (const int byte : bytes) out.push_back(static_cast<std::byte>(byte));
  return out;
}

struct Piece {
  Opcode opcode;
  std::string_view payload;
  bool final = true;
};
ByteBuffer from_client(std::initializer_list<Piece> pieces) {
  ByteBuffer out;
  for (const Piece& piece : pieces) {
    append_client_frame(
        out,
        {.opcode = piece.opcode, .payload = as_bytes(piece.payload), .mask = kMask, .final = piece.final});
  }
  return out;
}

Outcome read(std::initializer_list<Piece> pieces) {
  return read(kServer, from_client(pieces));
}

TEST(Mask, IsTheSameForEveryLengthAndOffset) {
  std::string text;
  for (int i = 0; i < 40; ++i) text.push_back(static_cast<char>(i * 7));
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size + offset <= text.size(); ++size) {
      ByteBuffer bytes = to_buffer(as_bytes(std::string_view{text}.substr(offset, size)));
      apply_mask(bytes, kMask, offset);
      for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(bytes[i], static_cast<std::byte>(text[offset + i]) ^ kMask.at((offset + i) % 4));
      }
    }
  }
}

// RFC 6455 §5.7, as it is printed there.
TEST(FrameReader, ReadsTheExamplesOfTheStandard) {
  const std::vector<Seen> hello{{.kind = Kind::text, .payload = "Hello"}};
  EXPECT_EQ(read(kClient, raw({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f})).events, hello);
  EXPECT_EQ(read(kServer, raw({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})).events,
            hello);
  EXPECT_EQ(read(kClient, raw({0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f})).events, hello);
  EXPECT_EQ(read(kClient, raw({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f})).events,
            (std::vector<Seen>{{.kind = Kind::ping, .payload = "Hello"}}));
  EXPECT_EQ(read(kServer, raw({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})).events,
            (std::vector<Seen>{{.kind = Kind::pong, .payload = "Hello"}}));
}

TEST(FrameReader, ReadsEveryFormOfLength) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65'535U, 65'536U, 100'000U}) {
    const std::string payload(size, 'x');
    EXPECT_EQ(read({{Opcode::binary, payload}}).events,
              (std::vector<Seen>{{.kind = Kind::binary, .payload = payload}}));
  }
}

TEST(FrameReader, PutsFragmentsTogetherWithControlFramesBetweenThem) {
  const Outcome outcome = read({{Opcode::text, "one ", false},
                                {Opcode::ping, "a ping"},
                                {Opcode::continuation, "", false},
                                {Opcode::pong, "b"},
                                {Opcode::continuation, "two", true},
                                {Opcode::binary, "\x01"}});
  EXPECT_EQ(outcome.error, 0);
  EXPECT_EQ(outcome.events, (std::vector<Seen>{{.kind = Kind::ping, .payload = "a ping"},
                                               {.kind = Kind::pong, .payload = "b"},
                                               {.kind = Kind::text, .payload = "one two"},
                                               {.kind = Kind::binary, .payload = "\x01"}}));
}

TEST(FrameReader, RefusesWhatBreaksTheProtocol) {
  const auto code = [](std::initializer_list<int> bytes) { return read(kServer, raw(bytes)).error; };
  for (const int reserved : {0x40, 0x20, 0x10}) EXPECT_EQ(code({0x81 | reserved}), 1002);
  for (const int opcode : {0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF})
    EXPECT_EQ(code({0x80 | opcode}), 1002);
  EXPECT_EQ(code({0x81, 0x00}), 1002) << "without a mask";
  EXPECT_EQ(read(kClient, raw({0x81, 0x80})).error, 1002) << "with a mask";
  EXPECT_EQ(code({0x80}), 1002) << "nothing to continue";
  EXPECT_EQ(code({0x09}), 1002) << "fragmented ping";
  EXPECT_EQ(code({0x08}), 1002) << "fragmented close";
  EXPECT_EQ(code({0x89, 0xFE}), 1002) << "ping of 126 bytes";
  EXPECT_EQ(code({0x82, 0xFE, 0, 125, 1, 2, 3, 4}), 1002) << "125 in 16 bits";
  EXPECT_EQ(code({0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4}), 1002) << "65,535 in 64 bits";
  EXPECT_EQ(code({0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}), 1002) << "the highest bit";
  EXPECT_EQ(read({{Opcode::text, "a", false}, {Opcode::text, "b"}}).error, 1002) << "message inside another";
  EXPECT_EQ(read({{Opcode::text, "a"}, {Opcode::continuation, "b"}}).error, 1002) << "nothing to continue";
}

TEST(FrameReader, TakesControlFramesOfTheLargestSize) {
  const std::string payload(kMaxControlPayload, 'p');
  EXPECT_EQ(read({{Opcode::ping, payload}}).events,
            (std::vector<Seen>{{.kind = Kind::ping, .payload = payload}}));
}

TEST(FrameReader, RefusesTooMuchAtTheHeader) {
  EXPECT_EQ(read(kServer, raw({0x82, 0xFF, 0, 0, 0, 0, 0, 0x01, 0x86, 0xA1, 1, 2, 3, 4})).error, 1009);
  EXPECT_EQ(
      read(kServer, raw({0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4})).error,
      1009);
  const std::string half(60'000, 'h');
  EXPECT_EQ(read({{Opcode::binary, half, false}, {Opcode::continuation, half, true}}).error, 1009);
  EXPECT_EQ(read({{Opcode::binary, half}, {Opcode::binary, half}}).error, 0);
}

TEST(FrameReader, RefusesTheWrongKindOfMessage) {
  FrameReaderOptions options = kServer;
  options.accepts = Accepts::text;
  EXPECT_EQ(read(options, from_client({{Opcode::binary, "b"}})).error, 1003);
  EXPECT_EQ(read(options, from_client({{Opcode::text, "t"}})).error, 0);
  options.accepts = Accepts::binary;
  EXPECT_EQ(read(options, from_client({{Opcode::text, "t"}})).error, 1003);
  EXPECT_EQ(read(options, from_client({{Opcode::binary, "b"}, {Opcode::ping, ""}})).error, 0);
}

TEST(FrameReader, LooksAtUtf8AcrossFragments) {
  EXPECT_EQ(
      read({{Opcode::text, "\xE2\x82", false}, {Opcode::ping, "\xFF"}, {Opcode::continuation, "\xAC", true}})
          .events,
      (std::vector<Seen>{{.kind = Kind::ping, .payload = "\xFF"},
                         {.kind = Kind::text, .payload = "\xE2\x82\xAC"}}));
  EXPECT_EQ(read({{Opcode::text, "\xE2\x82"}}).error, 1007);
  EXPECT_EQ(read({{Opcode::text, "\xE2\x82", false}, {Opcode::continuation, "", true}}).error, 1007);
  EXPECT_EQ(read({{Opcode::text, "\xED\xA0\x80", false}}).error, 1007) << "at once, not at the message's end";
  EXPECT_EQ(read({{Opcode::binary, "\xED\xA0\x80"}}).error, 0);
  const ByteBuffer bytes = from_client({{Opcode::text, "abc\xFF and more that has not come"}});
  EXPECT_EQ(read(kServer, ByteView{bytes}.first(6 + 4)).error, 1007) << "in the middle of a frame";
}

TEST(FrameReader, ForgetsABrokenCharacterWithTheMessage) {
  const Outcome outcome = read({{Opcode::binary, "\xFF"}, {Opcode::text, "\xC3\xBC"}});
  EXPECT_EQ(outcome.error, 0);
  EXPECT_EQ(outcome.events.size(), 2U);
}

TEST(FrameReader, ReadsCloseFrames) {
  EXPECT_EQ(read({{Opcode::close, ""}}).events, (std::vector<Seen>{{.kind = Kind::close, .payload = ""}}));
  EXPECT_EQ(read({{Opcode::close, "\x03\xE8"}}).events,
            (std::vector<Seen>{{.kind = Kind::close, .payload = "", .code = 1000}}));
  EXPECT_EQ(read({{Opcode::close, "\x0B\xB8why"}}).events,
            (std::vector<Seen>{{.kind = Kind::close, .payload = "why", .code = 3000}}));
  EXPECT_EQ(read({{Opcode::close, "\x03"}}).error, 1002);
  EXPECT_EQ(read({{Opcode::close, "\x03\xE8\xFF"}}).error, 1007);
  EXPECT_EQ(read({{Opcode::close, "\x03\xE8\xE2\x82"}}).error, 1007);
}

TEST(FrameReader, KnowsWhichCloseCodesMayBeSent) {
  const auto valid = [](int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
  };
  for (int code = 0; code <= 0xFFFF; ++code) {
    const auto number = static_cast<std::uint16_t>(code);
    ASSERT_EQ(is_close_code(number), valid(code)) << code;
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    const auto low = static_cast<char>(code & 0xFF);
    const std::string payload{static_cast<char>(code >> 8), low};
    EXPECT_EQ(read({{Opcode::close, payload}}).error, 1002) << code;
  }
}

TEST(FrameReader, SaysNothingAfterACloseOrAnError) {
  EXPECT_EQ(read({{Opcode::close, "\x03\xE8"}, {Opcode::text, "late"}, {Opcode::ping, ""}}).events.size(),
            1U);
  FrameReader reader{kServer};
  ByteBuffer bytes = raw({0x83, 0x80, 1, 2, 3, 4});
  ByteSpan input{bytes};
  EXPECT_FALSE(reader.next(input));
  ByteBuffer good = from_client({{Opcode::text, "late"}});
  input = good;
  const auto event = reader.next(input);
  EXPECT_TRUE(event && !*event);
  EXPECT_TRUE(input.empty());
}

TEST(FrameReader, CopiesNothingThatIsWholeInTheInput) {
  FrameReader reader{kServer};
  ByteBuffer bytes = from_client({{Opcode::binary, "a message that stays where it is"}});
  ByteSpan input{bytes};
  const auto event = reader.next(input);
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((*event)->payload.data(), bytes.data() + 6);
}

TEST(FrameReader, StaysSmall) {
  EXPECT_LE(sizeof(FrameReader), 200U);
}

TEST(FrameWriter, WritesWhatAReaderReads) {
  const std::string medium(300, 'm');
  const std::string large(70'000, 'l');
  const std::array<ByteView, 4> messages{as_bytes("one"), as_bytes(""), as_bytes(medium), as_bytes(large)};
  const Frames frames = encode_frames(MessageKind::text, messages);
  ASSERT_EQ(frames.count(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    const ByteView frame = frames.bytes().subspan(frames.begin_of(i), frames.end_of(i) - frames.begin_of(i));
    const Outcome outcome = read(kClient, frame);
    EXPECT_EQ(outcome.events,
              (std::vector<Seen>{{.kind = Kind::text, .payload = std::string{as_text(messages.at(i))}}}));
    EXPECT_EQ(frame_size(frames.bytes().subspan(frames.begin_of(i))), frame.size());
  }
  EXPECT_EQ(frame_size(raw({0x82})), std::nullopt);
  EXPECT_EQ(frame_size(raw({0x82, 126, 1})), std::nullopt);
  EXPECT_EQ(frame_size(raw({0x82, 127, 0, 0, 0, 0, 0, 1, 0})), std::nullopt);
}

TEST(FrameWriter, WritesControlFrames) {
  EXPECT_EQ(encode_control(Opcode::pong, as_bytes("x")), raw({0x8A, 1, 'x'}));
  EXPECT_EQ(encode_close(1001, "bye"), raw({0x88, 5, 0x03, 0xE9, 'b', 'y', 'e'}));
  EXPECT_EQ(encode_close(close_code::kNoStatus, "unsaid"), raw({0x88, 0}));
  std::string reason(122, 'r');
  reason += "\xC3\xBC";  // one byte too many
  const Outcome outcome = read(kClient, encode_close(1000, reason));
  EXPECT_EQ(outcome.events,
            (std::vector<Seen>{{.kind = Kind::close, .payload = std::string(122, 'r'), .code = 1000}}));
}

/// Random messages in random fragments with pings between them, cut at random.
TEST(FrameProperty, WhatIsWrittenIsReadHoweverItIsCut) {
  rc::check(
      [](const std::vector<std::string>& messages, const std::vector<std::uint8_t>& cuts, std::uint32_t key) {
        Mask mask{};
        for (std::size_t i = 0; i < 4; ++i) mask.at(i) = static_cast<std::byte>(key >> (8 * i));
        ByteBuffer bytes;
        std::vector<Seen> expected;
        std::size_t turn = 0;
        const auto cut = [&] {
          return cuts.empty() ? std::size_t{1000} : cuts[turn++ % cuts.size()] % 32 + std::size_t{0};
        };
        for (const std::string& message : messages) {
          std::string_view rest = message;
          Opcode opcode = Opcode::binary;
          for (bool final = false; !final; opcode = Opcode::continuation) {
            const std::string_view piece = rest.substr(0, cut() + 1);
            rest.remove_prefix(piece.size());
            final = rest.empty();
            append_client_frame(bytes,
                                {.opcode = opcode, .payload = as_bytes(piece), .mask = mask, .final = final});
            if (!final && cut() % 3 == 0) {
              append_client_frame(bytes, {.opcode = Opcode::ping, .payload = as_bytes("?"), .mask = mask});
              expected.push_back({.kind = Kind::ping, .payload = "?"});
            }
          }
          expected.push_back({.kind = Kind::binary, .payload = message});
        }
        std::vector<ByteView> pieces;
        for (ByteView rest{bytes}; !rest.empty();) {
          const std::size_t size = std::min(rest.size(), cut() + 1);
          pieces.push_back(rest.first(size));
          rest = rest.subspan(size);
        }
        const Outcome outcome = read_pieces(kServer, pieces);
        RC_ASSERT(outcome.error == 0);
        RC_ASSERT(outcome.events == expected);
      });
}

}  // namespace
}  // namespace sluice::websocket
