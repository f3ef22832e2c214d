#include "core/byte_io.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(ByteIo, WritesBigEndianAndReadsItBack) {
  ByteBuffer buffer;
  ByteWriter writer{buffer};
  writer.write(std::uint8_t{0x01});
  writer.write(std::uint32_t{0x02030405});
  writer.write(std::uint64_t{0xF0E0D0C0B0A09080});
  writer.write_bytes(as_bytes("xyz"));
  EXPECT_EQ(buffer.at(1), std::byte{0x02});
  EXPECT_EQ(buffer.at(4), std::byte{0x05});

  ByteReader reader{buffer};
  EXPECT_EQ(reader.read<std::uint8_t>(), 0x01);
  EXPECT_EQ(reader.read<std::uint32_t>(), 0x02030405U);
  EXPECT_EQ(reader.read<std::uint64_t>(), 0xF0E0D0C0B0A09080U);
  EXPECT_EQ(as_text(reader.read_bytes(3).value()), "xyz");
  EXPECT_TRUE(reader.rest().empty());
}

TEST(ByteIo, TakesNothingWhenTooLittleIsLeft) {
  const ByteBuffer three(3);
  ByteReader reader{three};
  EXPECT_EQ(reader.read<std::uint32_t>(), std::nullopt);
  EXPECT_EQ(reader.read_bytes(4), std::nullopt);
  EXPECT_EQ(reader.rest().size(), 3U);
  EXPECT_EQ(reader.read<std::uint16_t>(), 0);
}

}  // namespace
}  // namespace sluice
