#include "core/pattern.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Pattern, CoversTheWholeText) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("ops", "ops"));
  EXPECT_FALSE(matches("ops", "ops.eu"));
  EXPECT_FALSE(matches("ops.eu", "ops"));
  EXPECT_FALSE(matches("", "ops"));
}

TEST(Pattern, StarStandsForAnyRunEvenNone) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "anything"));
  EXPECT_TRUE(matches("ops.*", "ops."));
  EXPECT_TRUE(matches("ops.*", "ops.eu.west"));
  EXPECT_FALSE(matches("ops.*", "ops"));
  EXPECT_TRUE(matches("*.eu", "ops.eu"));
  EXPECT_TRUE(matches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches("a*b*c", "aXbYbZ"));
  EXPECT_TRUE(matches("***", "x"));
}

TEST(Pattern, StarInTheTextIsACharacter) {
  EXPECT_TRUE(matches("a*", "a*"));
  EXPECT_FALSE(matches("ab", "a*"));
}

TEST(Pattern, ManyStarsCostNoMoreThanBothLengthsTogetherMultiplied) {
  std::string pattern;
  for (int i = 0; i < 32; ++i) pattern += "a*";
  EXPECT_FALSE(matches(pattern + "b", std::string(64, 'a')));
}

}  // namespace
}  // namespace sluice
