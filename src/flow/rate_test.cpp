#include "flow/rate.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace sluice::flow {
namespace {

using namespace literals;
using namespace std::chrono_literals;

constexpr TimePoint kStart{};

TEST(RateMeter, ShowsASteadyRateAndForgetsItAfterTwoSeconds) {
  RateMeter meter{kStart};
  TimePoint now = kStart;
  for (int i = 0; i < 1000; ++i, now += 10ms) meter.add(1000_B, now);
  EXPECT_NEAR(static_cast<double>(meter.per_second(now).count()), 100'000, 1000);
  EXPECT_EQ(meter.per_second(now + 2s), 0_B);
  EXPECT_EQ(meter.total(), 1'000'000_B);
}

TEST(RateMeter, IsRightDuringItsFirstSecondsToo) {
  RateMeter meter{kStart};
  for (int i = 0; i < 50; ++i) meter.add(1000_B, kStart + i * 10ms);
  EXPECT_EQ(meter.per_second(kStart + 500ms), 100'000_B);
}

TEST(RateMeter, FollowsAChangeWithinTwoSeconds) {
  RateMeter meter{kStart};
  meter.add(1_MiB, kStart + 1s);
  TimePoint now = kStart + 10s;
  for (int i = 0; i < 200; ++i, now += 10ms) meter.add(10_B, now);
  EXPECT_NEAR(static_cast<double>(meter.per_second(now).count()), 1000, 50);
}

TEST(RateMeter, CountsBytesOfAnEarlierTimeForTheNewestSlot) {
  RateMeter meter{kStart + 5s};
  meter.add(100_B, kStart);
  EXPECT_EQ(meter.total(), 100_B);
  EXPECT_EQ(meter.per_second(kStart), 400_B);  // over one slot at the least
}

}  // namespace
}  // namespace sluice::flow
