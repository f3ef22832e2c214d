#include "core/utf8.hpp"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice {
namespace {

using namespace std::string_view_literals;

/// The encoding of one scalar value, written from RFC 3629 §3 independently of the validator.
std::string encoded(char32_t c) {
  const auto byte = [](char32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)),
          byte(0x80 | (c & 0x3F))};
}

TEST(Utf8, TakesEveryScalarValueAndNoSurrogate) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(is_utf8(encoded(c)), !surrogate) << static_cast<std::uint32_t>(c);
  }
}

TEST(Utf8, RefusesWhatIsNoCharacter) {
  for (const auto bad : {"\x80"sv, "\xC3"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x9F\xBF"sv,
                         "\xF0\x8F\xBF\xBF"sv, "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv,
                         "\xE2\x82"sv, "\xF0\x9F\x98"sv, "\xC3("sv, "a\xE2\x82(b"sv}) {
    EXPECT_FALSE(is_utf8(bad));
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\0 is a character"sv));
}

TEST(Utf8, PrefixNeverEndsInsideACharacter) {
  EXPECT_EQ(utf8_prefix("a\xE2\x82\xAC", 3), "a");
  EXPECT_EQ(utf8_prefix("a\xE2\x82\xAC", 4), "a\xE2\x82\xAC");
  EXPECT_EQ(utf8_prefix("ok\xFFno", 9), "ok");
}

TEST(Utf8, PrefixOfAnythingIsValidAndNoLongerThanAsked) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const std::size_t bytes = *rc::gen::inRange<std::size_t>(0, 64);
    const auto prefix = utf8_prefix(text, bytes);
    RC_ASSERT(is_utf8(prefix));
    RC_ASSERT(prefix.size() <= bytes);
    RC_ASSERT(text.starts_with(prefix));
  }));
}

}  // namespace
}  // namespace sluice
