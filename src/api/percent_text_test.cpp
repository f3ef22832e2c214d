#include "api/percent_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::api {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(PercentText, ComesBackAsItWas) {
  const std::string all = "a b/c?d=e&f%g+\x01\xc3\xa4~-._";
  EXPECT_EQ(percent_encode(all), "a%20b%2Fc%3Fd%3De%26f%25g%2B%01%C3%A4~-._");
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

TEST(PercentText, RefusesHalfAnEscape) {
  for (const std::string_view broken : {"%", "%4", "a%zz", "%+1", "% 1", "%-1"})
    EXPECT_EQ(percent_decode(broken), std::nullopt) << broken;
}

TEST(PercentText, TakesAPathApartBeforeItDecodes) {
  EXPECT_THAT(path_parts("/v1/users/a%2Fb").value(), ElementsAre("v1", "users", "a/b"));
  EXPECT_THAT(path_parts("/v1//x/").value(), ElementsAre("v1", "", "x", ""));
  EXPECT_EQ(path_parts("/v1/%"), std::nullopt);
}

TEST(PercentText, TakesAQueryApartBeforeItDecodes) {
  EXPECT_THAT(query_parts("user=a%26b&message=so+long%2B&flag").value(),
              ElementsAre(Pair("flag", ""), Pair("message", "so long+"), Pair("user", "a&b")));
  EXPECT_TRUE(query_parts("").value().empty());
  EXPECT_EQ(query_parts("user=%"), std::nullopt);
  EXPECT_EQ(query_parts("a=1&a=2"), std::nullopt);
}

}  // namespace
}  // namespace sluice::api
