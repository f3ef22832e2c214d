#include "transport/webrtc/dcep.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::webrtc {
namespace {

ByteBuffer bytes_of(std::initializer_list<int> values) {
  ByteBuffer bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// Channel type 0x80, priority 256, label "hi", protocol "p".
const ByteBuffer kOpenBytes =
    bytes_of({0x03, 0x80, 0x01, 0x00, 0, 0, 0, 0, 0x00, 0x02, 0x00, 0x01, 'h', 'i', 'p'});

TEST(Dcep, WritesOpenAsRfc8832HasIt) {
  const DcepOpen open{.order = SctpOrder::unordered, .priority = 256, .label = "hi", .protocol = "p"};
  EXPECT_EQ(write_dcep(open), kOpenBytes);
}

TEST(Dcep, ReadsOpen) {
  const auto message = parse_dcep(kOpenBytes);
  ASSERT_TRUE(message.has_value());
  const auto& open = std::get<DcepOpen>(*message);
  EXPECT_EQ(open.order, SctpOrder::unordered);
  EXPECT_EQ(open.reliability, Reliability::reliable);
  EXPECT_EQ(open.priority, 256);
  EXPECT_EQ(open.label, "hi");
  EXPECT_EQ(open.protocol, "p");
}

TEST(Dcep, AckIsOneByte) {
  EXPECT_EQ(write_dcep(DcepAck{}), bytes_of({0x02}));
  EXPECT_TRUE(parse_dcep(bytes_of({0x02})).has_value());
  EXPECT_FALSE(parse_dcep(bytes_of({0x02, 0x00})).has_value());
}

TEST(Dcep, RefusesEveryTruncationAndEveryExtraByte) {
  for (std::size_t size = 0; size < kOpenBytes.size(); ++size) {
    EXPECT_FALSE(parse_dcep(ByteView{kOpenBytes}.first(size)).has_value()) << size;
  }
  ByteBuffer longer = kOpenBytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse_dcep(longer).has_value());
}

TEST(Dcep, RefusesUnknownTypes) {
  EXPECT_FALSE(parse_dcep(bytes_of({0x01})).has_value());
  ByteBuffer unknown_channel = kOpenBytes;
  unknown_channel[1] = std::byte{0x03};
  EXPECT_FALSE(parse_dcep(unknown_channel).has_value());
}

TEST(Dcep, ReadsWhatItWrites) {
  rc::check([](const std::string& label, const std::string& protocol, std::uint16_t priority,
               std::uint32_t parameter) {
    const DcepOpen open{.order = *rc::gen::element(SctpOrder::ordered, SctpOrder::unordered),
                        .reliability = *rc::gen::element(Reliability::reliable, Reliability::limited_lifetime,
                                                         Reliability::limited_retransmissions),
                        .priority = priority,
                        .reliability_parameter = parameter,
                        .label = label,
                        .protocol = protocol};
    RC_ASSERT(std::get<DcepOpen>(*parse_dcep(write_dcep(open))) == open);
  });
}

}  // namespace
}  // namespace sluice::webrtc
