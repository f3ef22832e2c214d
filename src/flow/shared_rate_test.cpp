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

TEST(SharedRate, TakesANewRateWithTheTokensThatAreOwed) {
  SharedRate rate{{.burst = 10, .tokens = 1}};
  rate.take(4, kStart);
  rate.set_rate({.burst = 100, .tokens = 100}, kStart + 1s);
  EXPECT_EQ(rate.wait_for(97, kStart + 1s), 0s) << "one of the four has come back";
  EXPECT_EQ(rate.wait_for(98, kStart + 1s), 10ms);
  rate.set_rate({.burst = 5, .tokens = 1}, kStart + 1s);
  EXPECT_EQ(rate.wait_for(2, kStart + 1s), 0s);
  EXPECT_EQ(rate.wait_for(3, kStart + 1s), 1s) << "three are owed, whatever they cost";
}

TEST(SharedRate, OwesNoMoreThanTheBurstOfANewRate) {
  SharedRate rate{{.burst = 1'000, .tokens = 1'000}};
  rate.take(1'000, kStart);
  rate.set_rate({.burst = 2, .tokens = 1}, kStart);
  EXPECT_EQ(rate.wait_for(1, kStart), 1s);
  EXPECT_EQ(rate.wait_for(2, kStart), 2s);
}

TEST(SharedRate, IsNotChangedByTheSameRate) {
  const TokenRate same{.burst = 10, .tokens = 3};
  SharedRate rate{same};
  rate.take(25, kStart);
  const Duration wait = rate.wait_for(1, kStart);
  for (int i = 0; i < 100; ++i) rate.set_rate(same, kStart);
  EXPECT_EQ(rate.wait_for(1, kStart), wait);
  EXPECT_FALSE(rate.is_full(kStart + 8s));
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
