#include "transport/webrtc/crc32c.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::webrtc {
namespace {

ByteBuffer repeated(std::size_t count, int value) {
  return ByteBuffer(count, static_cast<std::byte>(value));
}

ByteBuffer counted(int first, int step) {
  ByteBuffer bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<std::byte>(first + i * step));
  return bytes;
}

TEST(Crc32c, AgreesWithRfc3720AppendixB4) {
  EXPECT_EQ(crc32c(repeated(32, 0x00)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(repeated(32, 0xff)), 0x62a8ab43U);
  EXPECT_EQ(crc32c(counted(0, 1)), 0x46dd794eU);
  EXPECT_EQ(crc32c(counted(31, -1)), 0x113fdb5cU);
}

TEST(Crc32c, AgreesWithTheCheckValueOfTheCatalogues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
}

TEST(Crc32c, OfNothingIsZero) {
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, IsTheSameByTableAndByInstruction) {
  const auto by_instruction = crc32c_detail::by_instruction();
  if (by_instruction == nullptr) GTEST_SKIP() << "this processor has no CRC-32C instruction";
  rc::check([&](std::uint32_t state, std::uint8_t seed) {
    const auto size = *rc::gen::inRange<std::size_t>(0, 3000);
    const auto offset = *rc::gen::inRange<std::size_t>(0, 8);
    ByteBuffer bytes(size + offset);
    unsigned value = seed;
    for (std::byte& byte : bytes) byte = static_cast<std::byte>((value = value * 1103515245 + 12345) >> 16);
    const ByteView view = ByteView{bytes}.subspan(offset);
    RC_ASSERT(by_instruction(state, view) == crc32c_detail::by_table(state, view));
  });
}

TEST(Crc32c, IsTheSameInPartsAndAtOnce) {
  rc::check([](const std::vector<std::uint8_t>& first, const std::vector<std::uint8_t>& second) {
    std::vector<std::uint8_t> both = first;
    both.insert(both.end(), second.begin(), second.end());
    const std::uint32_t in_parts =
        Crc32c{}.add(std::as_bytes(std::span{first})).add(std::as_bytes(std::span{second})).value();
    RC_ASSERT(in_parts == crc32c(std::as_bytes(std::span{both})));
  });
}

}  // namespace
}  // namespace sluice::webrtc
