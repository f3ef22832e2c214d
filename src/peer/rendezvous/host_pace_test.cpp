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
  pace.opened(TimePoint{});
  EXPECT_EQ(pace.closed(TimePoint{} + limits::kMailboxSettled), HostPace::Life::full);
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryFirst / 2);
}

TEST(HostPace, MailboxThatTheHubEndsEarlyDoesNotBeginThePauseAnew) {
  HostPace pace{HostPace::Times{}};
  TimePoint now{};
  for (int i = 0; i < 20; ++i) {
    pace.opened(now);
    now += limits::kMailboxSettled - 1ms;
    EXPECT_EQ(pace.closed(now), HostPace::Life::cut_short);
    (void)pace.hub_lost(0.5);
  }
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryLongest / 2);
}

TEST(HostPace, VisitorWhoProvesHimselfMakesUpForAnEarlyEndOfThatMailboxOnly) {
  HostPace pace{HostPace::Times{}};
  for (int i = 0; i < 20; ++i) (void)pace.hub_lost(0.5);
  pace.opened(TimePoint{});
  pace.confirmed();
  EXPECT_EQ(pace.closed(TimePoint{} + 1s), HostPace::Life::full);
  EXPECT_EQ(pace.hub_lost(0.5), limits::kHubRetryFirst / 2);
  pace.opened(TimePoint{} + 2s);
  EXPECT_EQ(pace.closed(TimePoint{} + 3s), HostPace::Life::cut_short);
}

}  // namespace
}  // namespace sluice::rendezvous
