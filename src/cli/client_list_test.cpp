#include "cli/client_list.hpp"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kTwo =
    R"({"clients":[{"id":"0-1","user":"ann","remote":"127.0.0.1","agent":"a","ageSeconds":1.5,"groups":2,
        "pressure":{"bytesWaiting":2048,"bytesUnacknowledged":1,"oldestMs":3}},
       {"id":"1-22","user":"bob","later":[{"x":1}]}],"more":true})";

std::vector<std::string> lines_of(const ClientList& list) {
  std::vector<std::string> lines{list.heads()};
  list.for_each([&](const boost::json::object&, std::string_view line) { lines.emplace_back(line); });
  return lines;
}

TEST(ClientList, IsATableWithAlignedColumns) {
  const auto list = ClientList::read(kTwo, 10);
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->more());
  EXPECT_THAT(lines_of(*list),
              ElementsAre("ID    USER  REMOTE     AGENT    AGE  GROUPS  WAITING  UNACKNOWLEDGED  OLDEST",
                          "0-1   ann   127.0.0.1  a      1.5 s       2  2.0 KiB             1 B  3.0 ms",
                          "1-22  bob                      0 us       0      0 B             0 B    0 us"));
}

TEST(ClientList, GivesEachClientAsTheHubDescribesIt) {
  const auto list = ClientList::read(kTwo, 10);
  ASSERT_TRUE(list);
  std::vector<std::size_t> members;
  list->for_each(
      [&](const boost::json::object& client, std::string_view) { members.push_back(client.size()); });
  EXPECT_THAT(members, ElementsAre(7, 3));
}

TEST(ClientList, RefusesFiguresThatCannotBe) {
  for (const std::string_view figure :
       {R"({"ageSeconds":1e308})", R"({"groups":-1})", R"({"pressure":{"bytesWaiting":1e308}})",
        R"({"pressure":{"oldestMs":1e300}})",
        R"({"pressure":{"bytesUnacknowledged":18446744073709551615}})"}) {
    const auto list = ClientList::read("{\"clients\":[" + std::string{figure} + "]}", 10);
    ASSERT_FALSE(list) << figure;
    EXPECT_EQ(list.error().code, Errc::protocol_violation);
  }
}

TEST(ClientList, RefusesMoreClientsThanWereAskedFor) {
  std::string text = "{\"clients\":[{}";
  while (text.size() < 6'000'000) text += ",{}";
  text += "]}";
  const auto list = ClientList::read(text, 10'000);
  ASSERT_FALSE(list);
  EXPECT_THAT(list.error().message, HasSubstr("10000"));
}

TEST(ClientList, RefusesAClientThatIsTooLarge) {
  std::string text = "{\"clients\":[{\"x\":[{}";
  while (text.size() < 60'000) text += ",{}";
  text += "]}]}";
  EXPECT_FALSE(ClientList::read(text, 10));
}

TEST(ClientList, OneLongNameDoesNotPadTheOthers) {
  std::string text = "{\"clients\":[{\"user\":\"" + std::string(5'000, 'x') + "\"}";
  for (int i = 0; i < 1'000; ++i) text += ",{}";
  text += "]}";
  const auto list = ClientList::read(text, 10'000);
  ASSERT_TRUE(list);
  std::size_t all = 0;
  for (const std::string& line : lines_of(*list)) all += line.size();
  EXPECT_LT(all, 200'000U);
}

TEST(ClientList, RefusesWhatIsNoList) {
  for (const char* const text : {"", "[]", "{\"clients\":{}}", "{\"clients\":[1]}", "{\"clients\":[{]}", "{"})
    EXPECT_FALSE(ClientList::read(text, 10)) << text;
  EXPECT_EQ(ClientList::read("{}", 10)->size(), 0U);  // of a later hub
}

}  // namespace
}  // namespace sluice::cli
