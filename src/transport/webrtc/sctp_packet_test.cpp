#include "transport/webrtc/sctp_packet.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/byte_io.hpp"

namespace sluice::webrtc {
namespace {

struct Chunk {
  std::uint8_t type = 0;
  std::uint32_t tsn = 0;
  StreamId stream = 0;
  PayloadProtocol ppid = 53;
  std::size_t payload = 0;
};

ByteBuffer packet_of(std::initializer_list<Chunk> chunks) {
  ByteBuffer packet(kSctpHeader);
  ByteWriter writer{packet};
  for (const Chunk& chunk : chunks) {
    writer.write(chunk.type);
    writer.write(std::uint8_t{3});
    writer.write(static_cast<std::uint16_t>(16 + chunk.payload));
    writer.write(chunk.tsn);
    writer.write(chunk.stream);
    writer.write(std::uint16_t{0});
    writer.write(chunk.ppid);
    writer.write_bytes(ByteBuffer((chunk.payload + 3) / 4 * 4));
  }
  return packet;
}

Bytes newly_sent(TransmitMeter& meter, ByteView packet) {
  Bytes sum;
  meter.observe(packet, [&](const SctpTransmission& sent) { sum += sent.payload; });
  return sum;
}

TEST(TransmitMeter, CountsEachDataChunkOnce) {
  TransmitMeter meter;
  EXPECT_EQ(newly_sent(meter, packet_of({{.tsn = 7, .payload = 100}, {.tsn = 8, .payload = 3}})), Bytes{103});
  EXPECT_EQ(newly_sent(meter, packet_of({{.tsn = 7, .payload = 100}, {.tsn = 9, .payload = 5}})), Bytes{5});
  EXPECT_EQ(meter.retransmitted(), Bytes{100});
}

TEST(TransmitMeter, SaysWhichStreamAndProtocol) {
  TransmitMeter meter;
  std::vector<SctpTransmission> seen;
  meter.observe(packet_of({{.tsn = 1, .stream = 513, .ppid = 50, .payload = 1}}),
                [&](const SctpTransmission& sent) { seen.push_back(sent); });
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].stream, 513);
  EXPECT_EQ(seen[0].ppid, 50U);
  EXPECT_EQ(seen[0].payload, Bytes{1});
}

TEST(TransmitMeter, FollowsTheTsnPastItsWrap) {
  TransmitMeter meter;
  EXPECT_EQ(newly_sent(meter, packet_of({{.tsn = 0xffffffff, .payload = 8}})), Bytes{8});
  EXPECT_EQ(newly_sent(meter, packet_of({{.tsn = 0, .payload = 16}})), Bytes{16});
  EXPECT_EQ(newly_sent(meter, packet_of({{.tsn = 0xffffffff, .payload = 8}})), Bytes{});
}

TEST(TransmitMeter, PassesOverOtherChunks) {
  TransmitMeter meter;
  const auto packet = packet_of({{.type = 3, .tsn = 99, .payload = 20}, {.tsn = 5, .payload = 40}});
  EXPECT_EQ(newly_sent(meter, packet), Bytes{40});
}

TEST(TransmitMeter, StopsAtLengthsThatDoNotFit) {
  for (const unsigned length : {0U, 3U, 117U, 65535U}) {
    TransmitMeter meter;
    auto packet = packet_of({{.tsn = 1, .payload = 100}});
    packet[kSctpHeader + 2] = static_cast<std::byte>(length >> 8);
    packet[kSctpHeader + 3] = static_cast<std::byte>(length);
    EXPECT_EQ(newly_sent(meter, packet), Bytes{}) << length;
  }
}

TEST(TransmitMeter, ReadsNothingOutsideOfAnyPacket) {
  rc::check([](const std::vector<std::uint8_t>& bytes) {
    TransmitMeter meter;
    RC_ASSERT(newly_sent(meter, std::as_bytes(std::span{bytes})) <= Bytes{bytes.size()});
  });
}

TEST(SctpChecksum, HoldsUntilAnyBitIsFlipped) {
  ByteBuffer packet = packet_of({{.tsn = 1, .payload = 40}});
  fill_checksum(packet);
  EXPECT_TRUE(has_valid_checksum(packet));
  for (std::size_t i = 0; i < packet.size(); ++i) {
    packet[i] ^= std::byte{0x10};
    EXPECT_FALSE(has_valid_checksum(packet)) << i;
    packet[i] ^= std::byte{0x10};
  }
}

TEST(SctpChecksum, IsLeastSignificantByteFirst) {
  ByteBuffer packet(kSctpHeader);
  fill_checksum(packet);
  std::uint32_t crc = 0xffffffff;
  for (int bit = 0; bit < 96; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  crc = ~crc;
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(packet[8 + i], static_cast<std::byte>(crc >> (8 * i)));
}

TEST(SctpChecksum, IsInvalidForLessThanAHeader) {
  EXPECT_FALSE(has_valid_checksum(ByteBuffer(11)));
}

ByteBuffer answer_to(ByteBuffer probe) {
  probe[kSctpHeader] = std::byte{5};   // The peer turns HEARTBEAT into HEARTBEAT ACK (RFC 9260 §8.3),
  probe.resize(kSctpHeader + 4 + 12);  // and does not send the padding back.
  return probe;
}

TEST(PathProbe, HasTheSizeThatItTriesAndIsKnownByItsAnswer) {
  const ByteBuffer header = packet_of({});
  for (const std::uint64_t size : {64U, 1432U, 8932U, 65532U}) {
    const ByteBuffer probe = make_path_probe(header, Bytes{size});
    EXPECT_EQ(probe.size(), size);
    EXPECT_TRUE(has_valid_checksum(probe));
    EXPECT_EQ(answered_path_probe(probe), std::nullopt);
    EXPECT_EQ(answered_path_probe(answer_to(probe)), Bytes{size});
    ByteBuffer bundled = packet_of({{.type = 0, .payload = 7}});
    const ByteBuffer answer = answer_to(probe);
    bundled.insert(bundled.end(), answer.begin() + kSctpHeader, answer.end());
    EXPECT_EQ(answered_path_probe(bundled), Bytes{size});
  }
}

TEST(PathProbe, IsNotAnsweredByOtherHeartbeats) {
  ByteBuffer answer = answer_to(make_path_probe(packet_of({}), Bytes{1432}));
  answer[kSctpHeader + 8] ^= std::byte{1};
  EXPECT_EQ(answered_path_probe(answer), std::nullopt);
  answer.pop_back();
  EXPECT_EQ(answered_path_probe(answer), std::nullopt);
}

TEST(SplitPacket, KeepsEveryChunkInItsOrderWithinTheLimit) {
  rc::check([] {
    const auto payloads =
        *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(0, 500));
    const auto largest = *rc::gen::inRange<std::size_t>(200, 1500);
    ByteBuffer packet = packet_of({});
    for (std::uint32_t i = 0; i < payloads.size(); ++i) {
      const ByteBuffer chunk = packet_of({{.type = 0, .tsn = i, .payload = payloads[i]}});
      packet.insert(packet.end(), chunk.begin() + kSctpHeader, chunk.end());
    }
    std::uint32_t tsn = 0;
    for (const ByteBuffer& part : split_packet(packet, Bytes{largest})) {
      int chunks = 0;
      for_each_chunk(part, [&](ByteView chunk) {
        RC_ASSERT(chunk.size() == 16U + payloads[tsn]);
        RC_ASSERT(ByteReader{chunk.subspan(4)}.read<std::uint32_t>() == tsn);
        ++tsn;
        ++chunks;
      });
      RC_ASSERT(part.size() <= largest || chunks == 1);
    }
    RC_ASSERT(tsn == payloads.size());
  });
}

}  // namespace
}  // namespace sluice::webrtc
