#include "client/messaging/recent_messages.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::messaging {
namespace {

using namespace std::chrono_literals;
using wire::hub::Conversation;
using wire::hub::Delivery;

constexpr TimePoint kNow{1h};

Delivery delivery(std::string id, std::uint64_t epoch, std::uint64_t offset = 1) {
  return {.from = "ann",
          .to = {.kind = Conversation::Kind::group, .name = "ops"},
          .id = std::move(id),
          .position = {.epoch = epoch, .offset = offset}};
}

TEST(RecentMessages, TellsAMessageThatAKilledHubHasNumberedAgain) {
  RecentMessages recent;
  EXPECT_FALSE(recent.is_repeated(delivery("a", 1), kNow));
  EXPECT_TRUE(recent.is_repeated(delivery("a", 2), kNow + 10s));
  EXPECT_FALSE(recent.is_repeated(delivery("b", 2, 2), kNow + 10s));
  EXPECT_TRUE(recent.is_repeated(delivery("a", 3), kNow + 20s)) << "however often";
}

TEST(RecentMessages, LeavesToTheHubWhatIsOfOneEpoch) {
  RecentMessages recent;
  EXPECT_FALSE(recent.is_repeated(delivery("a", 2, 1), kNow));
  EXPECT_FALSE(recent.is_repeated(delivery("a", 2, 2), kNow))
      << "the id is forgotten there, and so it is new";
  EXPECT_FALSE(recent.is_repeated(delivery("a", 1, 1), kNow)) << "an old one that was asked for";
}

TEST(RecentMessages, TakesAnIdForNewThatIsUsedAgainLater) {
  RecentMessages recent;
  EXPECT_FALSE(recent.is_repeated(delivery("a", 1), kNow));
  EXPECT_FALSE(recent.is_repeated(delivery("a", 2), kNow + limits::kDedupAge));
}

TEST(RecentMessages, AreBounded) {
  RecentMessages recent;
  for (std::size_t i = 0; i <= limits::kClientRecent; ++i)
    EXPECT_FALSE(recent.is_repeated(delivery(std::to_string(i), 1), kNow));
  EXPECT_EQ(recent.size(), limits::kClientRecent);
  EXPECT_FALSE(recent.is_repeated(delivery("0", 2), kNow)) << "the oldest has gone";
  EXPECT_TRUE(recent.is_repeated(delivery("9", 2), kNow));
}

}  // namespace
}  // namespace sluice::messaging
