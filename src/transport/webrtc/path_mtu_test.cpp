#include "transport/webrtc/path_mtu.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(PathMtu, TriesOnlyWhatTheFirstLinkCanCarry) {
  EXPECT_THAT(path_mtu_candidates(Bytes{}, IpVersion::v4), IsEmpty());
  EXPECT_THAT(path_mtu_candidates(1280_B, IpVersion::v6), IsEmpty());
  EXPECT_THAT(path_mtu_candidates(1500_B, IpVersion::v6), ElementsAre(1332_B, 1412_B));
  EXPECT_THAT(path_mtu_candidates(1500_B, IpVersion::v4), ElementsAre(1352_B, 1432_B));
  EXPECT_THAT(path_mtu_candidates(65536_B, IpVersion::v4), ElementsAre(1352_B, 1432_B, 8932_B));
}

struct Search {
  PathMtu mtu{1200_B, {1352_B, 1432_B, 8932_B}};
  TimePoint now{};

  std::vector<Bytes> after(Duration wait) {
    now += wait;
    return mtu.due(now);
  }
};

TEST(PathMtu, AsksNothingBeforeThePathIsUp) {
  Search search;
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), IsEmpty());
  EXPECT_EQ(search.mtu.proven(), 1200_B);
}

TEST(PathMtu, IsSettledAtOnceWithTheLargest) {
  Search search;
  search.mtu.start(search.now);
  EXPECT_THAT(search.after({}), ElementsAre(1352_B, 1432_B, 8932_B));
  search.mtu.on_answer(8932_B);
  search.mtu.on_answer(1432_B);
  EXPECT_THAT(search.after({}), IsEmpty());
  EXPECT_TRUE(search.mtu.settled());
  EXPECT_EQ(search.mtu.proven(), 8932_B);
}

TEST(PathMtu, TriesWhatWasNotAnsweredAgainAndThenLeavesIt) {
  Search search;
  search.mtu.start(search.now);
  EXPECT_EQ(search.after({}).size(), 3U);
  EXPECT_THAT(search.after({}), IsEmpty());  // The answers have their time.
  search.mtu.on_answer(1352_B);
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), ElementsAre(1432_B, 8932_B));
  search.mtu.on_answer(1432_B);
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), ElementsAre(8932_B));
  EXPECT_FALSE(search.mtu.settled());
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), IsEmpty());
  EXPECT_TRUE(search.mtu.settled());
  EXPECT_EQ(search.mtu.proven(), 1432_B);
  search.mtu.on_answer(8932_B);  // Too late: what is settled only falls.
  EXPECT_EQ(search.mtu.proven(), 1432_B);
}

TEST(PathMtu, TakesNoAnswerToWhatItNeverAsked) {
  Search search;
  search.mtu.start(search.now);
  (void)search.after({});
  search.mtu.on_answer(60000_B);
  EXPECT_EQ(search.mtu.proven(), 1200_B);
}

TEST(PathMtu, FallsToTheBaseWhenConfirmationsStayAway) {
  Search search;
  search.mtu.start(search.now);
  (void)search.after({});
  search.mtu.on_answer(8932_B);
  (void)search.after({});
  EXPECT_THAT(search.after(limits::kPathMtuConfirm), ElementsAre(8932_B));
  search.mtu.on_answer(8932_B);
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), IsEmpty());
  EXPECT_THAT(search.after(limits::kPathMtuConfirm), ElementsAre(8932_B));
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), ElementsAre(8932_B));
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), ElementsAre(8932_B));
  EXPECT_EQ(search.mtu.proven(), 8932_B);
  EXPECT_THAT(search.after(limits::kPathMtuProbeWait), IsEmpty());
  EXPECT_EQ(search.mtu.proven(), 1200_B);
  EXPECT_THAT(search.after(limits::kPathMtuConfirm), IsEmpty());
}

TEST(PathMtu, IsSettledAtOnceWhenThereIsNothingToTry) {
  PathMtu mtu{1200_B, {}};
  mtu.start(TimePoint{});
  EXPECT_TRUE(mtu.settled());
  EXPECT_THAT(mtu.due(TimePoint{}), IsEmpty());
}

}  // namespace
}  // namespace sluice::webrtc
