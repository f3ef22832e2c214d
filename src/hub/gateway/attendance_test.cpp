#include "hub/gateway/attendance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Change = Attendance::Change;

TEST(Attendance, TellsTheFirstChangeAtOnceAndTheNextOnesTogether) {
  Attendance group;
  const TimePoint begin{1h};
  group.come("watcher", 0, true);
  EXPECT_EQ(group.due(), TimePoint{});
  EXPECT_THAT(group.take_changes(begin), ElementsAre(Change{"watcher", true}));
  EXPECT_EQ(group.due(), std::nullopt);
  group.come("ann", 1, false);
  group.come("bob", 1, false);
  group.come("bob", 0, false);
  EXPECT_EQ(group.due(), begin + Attendance::kPause);
  EXPECT_THAT(group.take_changes(begin + 100ms), ElementsAre(Change{"ann", true}, Change{"bob", true}));
  group.go("bob", 1, false);
  EXPECT_EQ(group.due(), std::nullopt) << "another connection of his is there";
  group.go("bob", 0, false);
  EXPECT_THAT(group.take_changes(begin + 200ms), ElementsAre(Change{"bob", false}));
  EXPECT_EQ(group.count(), 2U);
}

TEST(Attendance, SaysNothingOfWhoComesAndGoesWithinThePause) {
  Attendance group;
  group.come("watcher", 0, true);
  (void)group.take_changes(TimePoint{1h});
  for (int i = 0; i < 1'000; ++i) {
    group.come("ann", 1, false);
    group.go("ann", 1, false);
  }
  EXPECT_EQ(group.due(), std::nullopt);
  group.come("ann", 1, false);
  EXPECT_THAT(group.take_changes(TimePoint{2h}), ElementsAre(Change{"ann", true}));
}

TEST(Attendance, KeepsNoNewsWhenNobodyWatches) {
  Attendance group;
  group.come("ann", 0, false);
  EXPECT_THAT(group.take_changes({}), IsEmpty());
  group.come("watcher", 1, true);
  (void)group.take_changes({});
  group.go("ann", 0, false);
  group.go("watcher", 1, true);
  EXPECT_EQ(group.due(), std::nullopt);
  EXPECT_TRUE(group.watchers().empty());
  EXPECT_FALSE(group.has("ann"));
}

TEST(Attendance, NamesWhoeverOthersStillTakeForPresent) {
  Attendance group;
  const TimePoint now{1h};
  group.come("watcher", 0, true);
  group.come("ann", 0, false);
  group.come("bob", 0, false);
  (void)group.take_changes(now);
  group.go("ann", 0, false, now + 5s);
  group.come("later", 1, true);
  EXPECT_THAT(group.present(10).users, ElementsAre("bob", "later", "watcher", "ann"));
  EXPECT_EQ(group.count(), 4U);
  EXPECT_TRUE(group.present(3).more);
  EXPECT_FALSE(group.present(4).more);
  group.come("ann", 1, false);  // nobody is told, and nobody needs to be
  EXPECT_THAT(group.present(10).users, ElementsAre("ann", "bob", "later", "watcher"));
  group.go("ann", 1, false, now + 5s);
  EXPECT_THAT(group.take_changes(now + 6s), ElementsAre(Change{"later", true}, Change{"ann", false}));
  EXPECT_THAT(group.present(10).users, ElementsAre("bob", "later", "watcher"));
  EXPECT_EQ(group.count(), 3U);
}

TEST(Attendance, SaysNothingOfAUserWhoIsBackWithinTheirGrace) {
  Attendance group;
  TimePoint now{1h};
  group.come("watcher", 0, true);
  group.come("ann", 0, false);
  (void)group.take_changes(now);
  for (int i = 0; i < 20; ++i, now += 1s) {
    group.go("ann", 0, false, now + 5s);
    EXPECT_EQ(group.due(), now + 5s);
    EXPECT_THAT(group.take_changes(now + 4s), IsEmpty());
    group.come("ann", 1, false);
    EXPECT_EQ(group.due(), std::nullopt) << "never away";
    group.go("ann", 1, false, now + 5s);
    group.come("ann", 0, false);
  }
  group.go("ann", 0, false, now + 5s);
  group.come("bob", 0, false);
  EXPECT_THAT(group.take_changes(now + 1s), ElementsAre(Change{"bob", true})) << "others are told meanwhile";
  EXPECT_FALSE(group.has("ann"));
  EXPECT_THAT(group.take_changes(now + 5s), ElementsAre(Change{"ann", false}));
}

}  // namespace
}  // namespace sluice::hub
