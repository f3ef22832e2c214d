#include "hub/service/greetings.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::service {
namespace {

using namespace std::chrono_literals;
using Refs = std::vector<ConnectionRef>;
using Standing = Greetings::Standing;

constexpr TimePoint kNow{1h};

class GreetingsTest : public testing::Test {
 protected:
  Refs begin(ConnectionRef connection, std::string_view address, Standing standing = Standing::stranger) {
    return greetings.begin({.connection = connection, .address = address, .standing = standing}, now);
  }
  Greetings greetings{{.slots = 9, .hello = {.longest = 10s, .shortest = 1s}}};  // 6 and 3
  TimePoint now = kNow;
};

TEST_F(GreetingsTest, LetTheOldestOfTheBusiestAddressGiveWay) {
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(begin({.shard = 1, .id = i}, "198.51.100.1"), Refs{});
  EXPECT_EQ(begin({.shard = 0, .id = 1}, "192.0.2.1"), Refs{});
  EXPECT_EQ(begin({.shard = 0, .id = 2}, "192.0.2.2"), (Refs{{.shard = 1, .id = 1}}));
  EXPECT_EQ(greetings.all(), 6U);
  EXPECT_EQ(greetings.gave_way(), 1U);
  greetings.end({.shard = 1, .id = 1});  // nothing happens
  greetings.end({.shard = 0, .id = 1});
  EXPECT_EQ(greetings.all(), 5U);
}

TEST_F(GreetingsTest, KeepAPartForThoseThatProveThatTheyResume) {
  for (std::uint64_t i = 1; i <= 6; ++i) (void)begin({.shard = 0, .id = i}, "198.51.100.1");
  for (std::uint64_t i = 11; i <= 13; ++i)
    EXPECT_EQ(begin({.shard = 0, .id = i}, "198.51.100.1", Standing::resumes), Refs{});
  EXPECT_EQ(begin({.shard = 0, .id = 14}, "198.51.100.1", Standing::resumes), (Refs{{.shard = 0, .id = 1}}))
      << "beyond it they compete with everybody";
  EXPECT_EQ(begin({.shard = 0, .id = 7}, "198.51.100.1"), (Refs{{.shard = 0, .id = 2}}));
}

TEST_F(GreetingsTest, LeaveLessTimeTheMoreThereAre) {
  for (std::uint64_t i = 1; i <= 6; ++i) (void)begin({.shard = 0, .id = i}, "198.51.100.1");
  now += 1s;
  EXPECT_EQ(begin({.shard = 0, .id = 7}, "198.51.100.1").size(), 1U) << "the others may have 2.8 s then";
  now += 4s;
  EXPECT_EQ(begin({.shard = 0, .id = 8}, "198.51.100.1").size(), 3U) << "the last may have 6.4 s";
}

TEST_F(GreetingsTest, TakeOtherLimits) {
  greetings.set_limits({.slots = 3, .hello = {.longest = 10s, .shortest = 10s}});
  EXPECT_EQ(begin({.shard = 0, .id = 1}, "192.0.2.1"), Refs{});
  EXPECT_EQ(begin({.shard = 0, .id = 2}, "192.0.2.1"), Refs{});
  EXPECT_EQ(begin({.shard = 0, .id = 3}, "192.0.2.1"), (Refs{{.shard = 0, .id = 1}}));
}

}  // namespace
}  // namespace sluice::hub::service
