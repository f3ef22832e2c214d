#include "flow/fair_share.hpp"

#include <gtest/gtest.h>

namespace sluice::flow {
namespace {

TEST(FairShare, LeavesRoomForOthersHoweverMuchOneTakes) {
  FairShare share{{.limit = 100}};
  int taken = 0;
  while (share.take("attacker")) ++taken;
  EXPECT_EQ(taken, 50);
  int others = 0;
  while (share.take("victim")) ++others;
  EXPECT_EQ(others, 25);
  EXPECT_FALSE(share.take("attacker"));
  EXPECT_TRUE(share.take("third"));
}

TEST(FairShare, GivesOneThatIsAloneMoreWithAHeavierWeight) {
  FairShare share{{.limit = 100, .weight = 4}};
  int taken = 0;
  while (share.take("backend")) ++taken;
  EXPECT_EQ(taken, 80);
  EXPECT_TRUE(share.take("victim"));
}

TEST(FairShare, GivesEqualPartsToManyThatAreGreedy) {
  FairShare share{{.limit = 1'000, .weight = 4}};
  for (bool any = true; any;) {
    any = false;
    for (const char* who : {"a", "b", "c", "d"}) any = share.take(who) || any;
  }
  for (const char* who : {"a", "b", "c", "d"}) EXPECT_NEAR(static_cast<double>(share.held(who)), 235, 2);
  EXPECT_GT(1'000 - share.all(), 50U);
}

TEST(FairShare, ForgetsWhoHoldsNothing) {
  FairShare share{{.limit = 10}};
  ASSERT_TRUE(share.take("a", 3));
  share.give_back("a", 3);
  EXPECT_EQ(share.held("a"), 0U);
  EXPECT_EQ(share.all(), 0U);
  EXPECT_FALSE(share.take("a", 11));
  EXPECT_TRUE(share.take("a", 10)) << "one alone, all at once";
}

}  // namespace
}  // namespace sluice::flow
