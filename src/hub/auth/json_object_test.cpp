#include "hub/auth/json_object.hpp"

#include <string>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "core/hub_limits.hpp"

namespace sluice::hub::auth {
namespace {

TEST(JsonObject, IsReadAsItIs) {
  const auto object = parse_object(R"( {"a:\"b\\":1,"c":{"d":[{"e":null},{"e":":"}]},"f":{}} )");
  ASSERT_TRUE(object);
  EXPECT_EQ(boost::json::serialize(*object), R"({"a:\"b\\":1,"c":{"d":[{"e":null},{"e":":"}]},"f":{}})");
  EXPECT_TRUE(parse_object("{}"));
}

TEST(JsonObject, IsRefusedWhenItSaysSomethingTwice) {
  EXPECT_FALSE(parse_object(R"({"a":1,"a":1})"));
  EXPECT_FALSE(parse_object(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(parse_object(R"({"a":{"b":1,"c":2,"b":3}})"));
  EXPECT_FALSE(parse_object(R"({"a":[0,{"b":1,"b":{"c":1}}]})"));
  EXPECT_FALSE(parse_object(R"({"a":{"b":1},"a":{"b":1,"c":2}})"));
  EXPECT_FALSE(parse_object(R"({"":1,"":2})"));
}

TEST(JsonObject, IsRefusedWhenItSaysSomethingTwiceAmongMany) {
  std::string text = "{";
  for (int i = 0; i < 300; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  EXPECT_TRUE(parse_object(text + "\"last\":1}"));
  EXPECT_FALSE(parse_object(text + "\"k150\":1}"));
}

TEST(JsonObject, IsRefusedWhenItIsAnythingElse) {
  for (const char* const text :
       {"", " ", "[]", "1", "null", "\"{}\"", "{", "{}x", "{} {}", "{'a':1}", "{\"a\":1,}", "{\"a\":01}",
        "{\"a\":NaN}", "\xEF\xBB\xBF{}", "{\"a\":\"\xFF\"}", "{\"a\":\"\x01\"}", "{/**/}"}) {
    EXPECT_FALSE(parse_object(text)) << text;
  }
  EXPECT_FALSE(parse_object({"{}\0", 3}));
}

TEST(JsonObject, NestsNoDeeperThanItsLimit) {
  const auto nested = [](std::size_t depth) {
    return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(parse_object(nested(limits::kMaxJsonDepth)));
  EXPECT_FALSE(parse_object(nested(limits::kMaxJsonDepth + 1)));
  EXPECT_FALSE(parse_object(nested(4'000)));
}

TEST(JsonObject, TellsItsTexts) {
  const auto object = parse_object(R"({"text":"x","number":1})");
  ASSERT_TRUE(object);
  EXPECT_EQ(text_of(*object, "text"), "x");
  EXPECT_FALSE(text_of(*object, "number"));
  EXPECT_FALSE(text_of(*object, "absent"));
}

}  // namespace
}  // namespace sluice::hub::auth
