#include "transport/dialing/name_cache.hpp"

#include <gtest/gtest.h>

namespace sluice::dialing {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1h};
const Question kDb{.host = "db.example", .family = Family::v4};
const Question kWeb{.host = "web.example", .family = Family::v4};

Answer answer(const char* address) {
  return {.addresses = {boost::asio::ip::make_address(address)}};
}

TEST(NameCache, KeepsAnAnswerForItsLifeAndNoLonger) {
  NameCache cache;
  cache.keep(kDb, answer("192.0.2.1"), 5s, kStart);
  ASSERT_NE(cache.find(kDb, kStart + 4999ms), nullptr);
  EXPECT_EQ(cache.find(kDb, kStart + 4999ms)->addresses.front().to_string(), "192.0.2.1");
  EXPECT_EQ(cache.find({.host = "db.example", .family = Family::v6}, kStart), nullptr);
  EXPECT_EQ(cache.find(kDb, kStart + 5s), nullptr);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(NameCache, CountsACorrectedLifeFromWhenTheAnswerCame) {
  NameCache cache;
  cache.keep(kDb, answer("192.0.2.1"), 5s, kStart);
  cache.correct(kDb, 60s, kStart + 1s);
  EXPECT_NE(cache.find(kDb, kStart + 59s), nullptr);
  EXPECT_EQ(cache.find(kDb, kStart + 60s), nullptr);

  cache.keep(kDb, answer("192.0.2.1"), 5s, kStart);
  cache.correct(kDb, 0s, kStart);  // a time to live of nothing
  EXPECT_EQ(cache.find(kDb, kStart), nullptr);
  cache.correct(kWeb, 60s, kStart);  // never kept
  EXPECT_EQ(cache.find(kWeb, kStart), nullptr);
}

TEST(NameCache, LetsTheAnswerGiveWayThatGoesStaleFirst) {
  NameCache cache{2};
  cache.keep(kDb, answer("192.0.2.1"), 60s, kStart);
  cache.keep(kWeb, answer("192.0.2.2"), 5s, kStart);
  cache.keep({.host = "new.example", .family = Family::v4}, answer("192.0.2.3"), 5s, kStart);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_NE(cache.find(kDb, kStart), nullptr);
  EXPECT_EQ(cache.find(kWeb, kStart), nullptr);
}

}  // namespace
}  // namespace sluice::dialing
