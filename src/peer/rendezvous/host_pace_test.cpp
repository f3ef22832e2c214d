#include "peer/rendezvous/host_pace.hpp"

#include <gtest/gtest.h>

#include "core/limits.hpp"

namespace sluice::rendezvous {
namespace {

using namespace std::chrono_literals;

TEST(HostPace, BurntCodesAreReplacedAtOnceTenTimesAndThenLaterAndLater) {
  HostPace pace{HostPace::Times{}};
  for (int i = 0; i < limits::kBurntCodesAtOnce; ++i) EXPECT_EQ(pace.burnt(), 0s);
  EXPECT_EQ(pace.burnt(), limits::kGuessPauseFirst);
  EXPECT_EQ(pace.burnt(), 2 * limits::kGuessPauseFirst);
  for (int i = 0; i < 100; ++i) EXPECT_LE(pace.burnt(), limits::kGuessPauseLongest);
  EXPECT_EQ(pace.burnt(), limits::kGuessPauseLongest);
}

TEST(HostPace, VisitorWhoProvesHimselfEndsTheCount) {
  HostPace pace{HostPace::Times{}};
  for (int i = 0; i < 50; ++i) (void)pace.burnt();
  pace.confirmed();
  EXPECT_EQ(pace.burnt(), 0s);
}

TEST(HostPace, WrongKeysHoldThePlaceLongerEachTime) {
  HostPace pace{HostPace::Times{}};
  EXPECT_EQ(pace.wrong_key(), limits::kGuessPauseFirst);
  EXPECT_EQ(pace.wrong_key(), 2 * limits::kGuessPauseFirst);
  for (int i = 0; i < 100; ++i) EXPECT_LE(pace.wrong_key(), limits::kIntroduction);
}

TEST(HostPace, LostHubIsSoughtWithinAGrowingTimeUntilItIsFound) {
  HostPace pace{HostPace::Times{}};
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryFirst / 2);
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryFirst);  // half of twice as much
  EXPECT_EQ(pace.hub_lost(0.0), 0s);
  for (int i = 0; i < 100; ++i) EXPECT_LE(pace.hub_lost(0.999), limits::kHubRetryLongest);
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryLongest / 2);
  pace.opened();
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryFirst / 2);
}

}  // namespace
}  // namespace sluice::rendezvous
