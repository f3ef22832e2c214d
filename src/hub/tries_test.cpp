#include "hub/tries.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;

TEST(Tries, AllowsABurstThenOneEachInterval) {
  Tries tries{{.burst = 3, .interval = 10s, .max_tracked = 8}};
  const TimePoint start{};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(tries.wait("a", start), 0s);
    tries.charge("a", start);
  }
  EXPECT_EQ(tries.wait("a", start), 10s);
  EXPECT_EQ(tries.wait("a", start + 4s), 6s);
  EXPECT_EQ(tries.wait("b", start), 0s);  // somebody else
  EXPECT_EQ(tries.wait("a", start + 10s), 0s);
  tries.charge("a", start + 10s);
  EXPECT_EQ(tries.wait("a", start + 10s), 10s);
}

TEST(Tries, NeverBansForLongerThanAFullBucket) {
  Tries tries{{.burst = 3, .interval = 10s, .max_tracked = 8}};
  const TimePoint start{};
  for (int i = 0; i < 1000; ++i) tries.charge("a", start);
  EXPECT_EQ(tries.wait("a", start), 10s);
}

TEST(Tries, ForgetsWhoBehavesAndLetsAFloodShareOneCount) {
  Tries tries{{.burst = 2, .interval = 1s, .max_tracked = 4}};
  TimePoint now{};
  for (int i = 0; i < 100; ++i) tries.charge(std::to_string(i), now);
  EXPECT_EQ(tries.tracked(), 4U);
  EXPECT_GT(tries.wait("never seen", now), 0s);  // the flood's shared count is spent
  EXPECT_EQ(tries.wait("0", now), 0s);           // who was tracked has his own
  now += 1h;
  for (int i = 0; i < 4; ++i) tries.charge("late", now);
  EXPECT_EQ(tries.tracked(), 1U);
  EXPECT_EQ(tries.wait("never seen", now), 0s);
}

}  // namespace
}  // namespace sluice::hub
