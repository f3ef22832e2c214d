#include "core/invisible.hpp"

#include <initializer_list>

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Invisible, NamesBidirectionalControlsZeroWidthAndSeparators) {
  for (const char32_t code : std::initializer_list<char32_t>{
           0x061C, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B,  0x202C, 0x202D,
           0x202E, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xFEFF, 0x00AD, 0x3164, 0xE0001, 0xE0041})
    EXPECT_TRUE(is_invisible(code)) << std::hex << static_cast<unsigned>(code);
}

TEST(Invisible, LeavesWhatIsDrawnAlone) {
  for (const char32_t code : std::initializer_list<char32_t>{
           0x20,   0x41,   0xA0,   0xAC,   0xAE,   0x0600, 0x06DD, 0x200A,  0x2010,  0x2027,
           0x202F, 0x205F, 0x2070, 0x3000, 0xFE0F, 0xFEFE, 0xFFFD, 0x1F600, 0xE0100, 0x10FFFF})
    EXPECT_FALSE(is_invisible(code)) << std::hex << static_cast<unsigned>(code);
}

TEST(Invisible, FindsTheFirstOfAText) {
  EXPECT_EQ(first_invisible("admin"), std::nullopt);
  EXPECT_EQ(first_invisible("Grüße, 世界 🐟"), std::nullopt);
  EXPECT_EQ(first_invisible("ad\u200Bmin\u202E"), U'\u200B');
  EXPECT_EQ(first_invisible("\U000E0041"), U'\U000E0041');
  EXPECT_EQ(first_invisible("\xFF\xE2\x80"), std::nullopt) << "no UTF-8 is another matter";
}

}  // namespace
}  // namespace sluice
