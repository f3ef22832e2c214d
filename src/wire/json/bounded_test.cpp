#include "wire/json/bounded.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::wire::json {
namespace {

using namespace literals;

constexpr Limits kLimits{.text = 64_KiB, .memory = 256_KiB, .depth = 4};

TEST(BoundedJson, TakesWhatFits) {
  const auto value = parse(R"({"a":[1,2,{"b":"text"}]})", kLimits);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->at("a").at(2).at("b"), "text");
}

TEST(BoundedJson, RefusesATextThatIsTooLong) {
  const auto value = parse(std::string(64 * 1024 + 1, ' '), kLimits);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Errc::limit_exceeded);
}

TEST(BoundedJson, RefusesAShortTextOfManyValues) {
  std::string text = "[{}";
  while (text.size() < 60'000) text += ",{}";
  text += ']';
  const auto value = parse(text, kLimits);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Errc::limit_exceeded);
  EXPECT_TRUE(parse(text, {.text = 64_KiB, .memory = 4_MiB}));
}

TEST(BoundedJson, RefusesWhatIsTooDeep) {
  EXPECT_TRUE(parse("[[[[1]]]]", kLimits));
  const auto value = parse("[[[[[1]]]]]", kLimits);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Errc::malformed);
}

TEST(BoundedJson, RefusesWhatIsNoJson) {
  for (const char* const text : {"", "{", "{}}", "{\"a\":}", "nul", "[1 2]"}) {
    const auto value = parse(text, kLimits);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Errc::malformed) << text;
  }
}

TEST(BoundedJson, ValuesOutliveTheirParser) {
  auto value = parse(R"(["a longer text than a value has room for, so that it is allocated"])", kLimits);
  ASSERT_TRUE(value);
  value->as_array().emplace_back("another one of those longer texts, from the same memory");
  EXPECT_EQ(value->as_array().size(), 2U);
}

}  // namespace
}  // namespace sluice::wire::json
