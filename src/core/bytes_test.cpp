#include "core/bytes.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace literals;

TEST(Bytes, SaturatesInsteadOfWrapping) {
  EXPECT_EQ(Bytes::max() + 1_B, Bytes::max());
  EXPECT_EQ(1_KiB - 1_MiB, 0_B);
  EXPECT_EQ(Bytes::max() * 2, Bytes::max());
}

TEST(Bytes, LiteralsAreBinaryMultiples) {
  EXPECT_EQ((1_MiB).count(), 1'048'576U);
  EXPECT_EQ(1_MiB / 64, 16_KiB);
}

}  // namespace
}  // namespace sluice
