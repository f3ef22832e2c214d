#include "hub/gateway/pending_presence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::hub::Presence;

Presence is(const std::string& user, const char* how, const std::string& group = "ops") {
  return {.group = group, .user = user, .online = std::string_view{how} == "online"};
}

TEST(PendingPresence, KeepsTheLatestOfEachUserAndNothingOfOneWhoIsBack) {
  PendingPresence pending;
  pending.note(is("ann", "online"));
  for (int i = 0; i < 1'000; ++i) {
    pending.note(is("bob", "offline"));
    pending.note(is("bob", "online"));
  }
  pending.note(is("carl", "offline"));
  EXPECT_EQ(pending.size(), 2U);
  EXPECT_THAT(pending.take(10).changes, ElementsAre(is("ann", "online"), is("carl", "offline")));
  EXPECT_TRUE(pending.empty());
}

TEST(PendingPresence, TellsToAskAgainWhatItHasNoRoomFor) {
  PendingPresence pending;
  pending.note(is("ann", "online", "others"));
  for (std::size_t i = 0; i < 2 * limits::kPendingPresence; ++i)
    pending.note(is("user " + std::to_string(i), "online"));
  EXPECT_LE(pending.size(), limits::kPendingPresence);
  const auto news = pending.take(10);
  EXPECT_THAT(news.dropped, ElementsAre("ops"));
  EXPECT_THAT(news.changes, ElementsAre(is("ann", "online", "others"))) << "another group's stays";
  pending.note(is("ann", "offline"));
  EXPECT_THAT(pending.take(10).changes, ElementsAre(is("ann", "offline"))) << "from then on as ever";
}

TEST(PendingPresence, TellsAFewAtATimeAndForgetsAGroupThatWasLeft) {
  PendingPresence pending;
  for (int i = 0; i < 10; ++i) pending.note(is(std::to_string(i), "online"));
  pending.note(is("ann", "online", "left"));
  pending.forget("left");
  EXPECT_EQ(pending.take(4).changes.size(), 4U);
  EXPECT_EQ(pending.take(100).changes.size(), 6U);
  EXPECT_THAT(pending.take(100).changes, IsEmpty());
  EXPECT_EQ(pending.size(), 0U);
}

}  // namespace
}  // namespace sluice::hub
