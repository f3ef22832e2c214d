#include "wire/json/pieces.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::wire::json {
namespace {

using ::testing::ElementsAre;

/// Each piece as `key=value`, or `malformed` at the end.
std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> found;
  auto pieces = Pieces::of(text);
  if (!pieces) return {"malformed"};
  while (true) {
    const auto piece = pieces->next();
    if (!piece) found.emplace_back("malformed");
    if (!piece || !*piece) return found;
    found.push_back(std::string{(*piece)->key} + '=' + std::string{(*piece)->value});
  }
}

TEST(JsonPieces, AreTheMembersOfAnObject) {
  EXPECT_THAT(pieces_of(R"( { "a" : 1 ,"b":[1,{"c":"]}"}], "d":"x\"}" } )"),
              ElementsAre("a=1", R"(b=[1,{"c":"]}"}])", R"(d="x\"}")"));
}

TEST(JsonPieces, AreTheItemsOfAList) {
  EXPECT_THAT(pieces_of(R"([{}, [] ,null,-1.5e3,"a,b"])"),
              ElementsAre("={}", "=[]", "=null", "=-1.5e3", R"(="a,b")"));
}

TEST(JsonPieces, OfNothingAreNone) {
  EXPECT_THAT(pieces_of("{}"), ElementsAre());
  EXPECT_THAT(pieces_of(" [ ] "), ElementsAre());
}

TEST(JsonPieces, EndWhereTheTextIsMalformed) {
  for (const char* const text : {"", "1", "\"a\"", "x{}"})
    EXPECT_THAT(pieces_of(text), ElementsAre("malformed"));
  for (const char* const text :
       {"{", "[", "{\"a\"}", "{\"a\":}", "{1:2}", "[\"a", "[{\"a\":1", "[,1]", "{}x"})
    EXPECT_THAT(pieces_of(text), ElementsAre("malformed")) << text;
  EXPECT_THAT(pieces_of("[1 2]"), ElementsAre("=1", "malformed"));
  EXPECT_THAT(pieces_of("[1,]"), ElementsAre("=1", "malformed"));
}

}  // namespace
}  // namespace sluice::wire::json
