#include "hub/gateway/delivery_times.hpp"

#include <numeric>

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;

TEST(DeliveryTimes, FallIntoTheBucketWhoseBoundTheyAreBelow) {
  DeliveryTimes times;
  times.add(63us, 1);
  times.add(64us, 2);
  times.add(127us, 4);
  times.add(5ms, 8);  // below 8.192 ms
  times.add(-1us, 16);
  times.add(24h, 32);
  EXPECT_EQ(times.counts()[0], 17U);
  EXPECT_EQ(times.counts()[1], 6U);
  EXPECT_EQ(times.counts()[7], 8U);
  EXPECT_EQ(DeliveryTimes::bound(7), 8192us);
  EXPECT_EQ(times.counts().back(), 32U);
  EXPECT_EQ(std::accumulate(times.counts().begin(), times.counts().end(), std::uint64_t{0}), 63U);
  EXPECT_GT(DeliveryTimes::bound(DeliveryTimes::kBuckets - 2), 30s);
}

TEST(DeliveryTimes, AreAddedUpOverShards) {
  DeliveryTimes one;
  one.add(100us, 2);
  DeliveryTimes other;
  other.add(100us, 3);
  other.add(1s, 1);
  one += other;
  EXPECT_EQ(one.counts()[1], 5U);
  EXPECT_DOUBLE_EQ(one.sum().count(), 1.0005);
}

}  // namespace
}  // namespace sluice::hub
