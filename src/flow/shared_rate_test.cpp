#include "flow/shared_rate.hpp"

#include <random>

#include <gtest/gtest.h>

namespace sluice::flow {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1h};

TEST(SharedRate, IsFullAtTheStart) {
  const SharedRate rate{{.burst = 10, .tokens = 5}};
  EXPECT_EQ(rate.wait_for(10, kStart), 0s);
}

TEST(SharedRate, WaitsUntilTheTokensHaveCome) {
  SharedRate rate{{.burst = 10, .tokens = 5}};
  rate.take(10, kStart);
  EXPECT_EQ(rate.wait_for(1, kStart), 200ms);
  EXPECT_EQ(rate.wait_for(10, kStart), 2s);
  EXPECT_EQ(rate.wait_for(1, kStart + 200ms), 0s);
}

TEST(SharedRate, SavesUpNoMoreThanTheBurst) {
  SharedRate rate{{.burst = 2, .tokens = 1'000}};
  rate.take(1, kStart);
  rate.take(2, kStart + 1h);
  EXPECT_EQ(rate.wait_for(1, kStart + 1h), 1ms);
}

TEST(SharedRate, LetsMoreThanTheBurstThroughWhenItIsFull) {
  SharedRate rate{{.burst = 10, .tokens = 10}};
  EXPECT_EQ(rate.wait_for(30, kStart), 0s);
  rate.take(30, kStart);
  EXPECT_EQ(rate.wait_for(10, kStart), 3s) << "and is paid for";
}

TEST(SharedRate, TakesANewRate) {
  SharedRate rate{{.burst = 1, .tokens = 1}};
  rate.take(1, kStart);
  rate.set_rate({.burst = 100, .tokens = 100});
  EXPECT_EQ(rate.wait_for(1, kStart), 10ms) << "the second that is owed, less what may be saved up";
}

TEST(SharedRate, NeverPassesItsRateWhateverIsAsked) {
  std::mt19937_64 random{7};
  SharedRate rate{{.burst = 50, .tokens = 1'000}};
  TimePoint now = kStart;
  std::uint64_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::microseconds{random() % 3'000};
    const std::uint64_t tokens = 1 + random() % 5;
    if (rate.wait_for(tokens, now) > 0s) continue;
    rate.take(tokens, now);
    taken += tokens;
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - kStart).count();
    ASSERT_LE(taken, 50U + static_cast<std::uint64_t>(passed) + 1) << i;
  }
  EXPECT_GT(taken, 20'000U);
}

}  // namespace
}  // namespace sluice::flow
