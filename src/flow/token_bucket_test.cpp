#include "flow/token_bucket.hpp"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{};

TEST(TokenBucket, IsFullAtTheStartAndFillsWithTime) {
  TokenBucket bucket{{.burst = 3, .tokens = 1, .per = 10s}, kStart};
  EXPECT_TRUE(bucket.take(3, kStart));
  EXPECT_FALSE(bucket.take(1, kStart + 9'999ms));
  EXPECT_TRUE(bucket.take(1, kStart + 10s));
  EXPECT_FALSE(bucket.take(1, kStart + 10s));
  EXPECT_EQ(bucket.available(kStart + 1h), 3U);
  EXPECT_EQ(bucket.stats().taken, 4U);
  EXPECT_EQ(bucket.stats().refused, 2U);
}

TEST(TokenBucket, TakesAllOrNothing) {
  TokenBucket bucket{{.burst = 3, .tokens = 1, .per = 1s}, kStart};
  EXPECT_FALSE(bucket.take(4, kStart));
  EXPECT_EQ(bucket.available(kStart), 3U);
}

TEST(TokenBucket, SurvivesAClockThatStandsStillAndAVeryLongSilence) {
  TokenBucket bucket{{.burst = TokenRate::kLargest, .tokens = TokenRate::kLargest, .per = 1s}, kStart + 1s};
  EXPECT_TRUE(bucket.take(TokenRate::kLargest, kStart));
  EXPECT_EQ(bucket.available(kStart + 1s), 0U);
  EXPECT_EQ(bucket.available(kStart + 24h * 365 * 200), TokenRate::kLargest);
}

TEST(TokenBucket, FillsExactlyOverALongPeriod) {
  TokenBucket bucket{{.burst = 1000, .tokens = 7, .per = 1h}, kStart};
  ASSERT_TRUE(bucket.take(1000, kStart));
  TimePoint now = kStart;
  for (int i = 0; i < 3600 * 4; ++i) {
    now += 250ms;
    (void)bucket.available(now);
  }
  EXPECT_EQ(bucket.available(now), 7U);
}

TEST(TokenBucket, OwesWhatWasTakenAlsoAtAnotherRate) {
  TokenBucket bucket{{.burst = 10, .tokens = 1}, kStart};
  ASSERT_TRUE(bucket.take(4, kStart));
  bucket.set_rate({.burst = 100, .tokens = 10}, kStart + 1s);
  EXPECT_EQ(bucket.available(kStart + 1s), 97U) << "one of the four has come back";
  EXPECT_EQ(bucket.available(kStart + 1'200ms), 99U);
  bucket.set_rate({.burst = 2, .tokens = 1}, kStart + 1'200ms);
  EXPECT_EQ(bucket.available(kStart + 1'200ms), 1U);
  EXPECT_EQ(bucket.available(kStart + 2'199ms), 1U);
  EXPECT_EQ(bucket.available(kStart + 2'200ms), 2U);
  EXPECT_EQ(bucket.stats().taken, 4U);
}

TEST(TokenBucket, OwesNoMoreThanTheBurstOfANewRate) {
  TokenBucket bucket{{.burst = 1'000, .tokens = 1}, kStart};
  ASSERT_TRUE(bucket.take(1'000, kStart));
  bucket.set_rate({.burst = 5, .tokens = 1}, kStart);
  EXPECT_EQ(bucket.available(kStart), 0U);
  EXPECT_EQ(bucket.available(kStart + 4'999ms), 4U);
  EXPECT_EQ(bucket.available(kStart + 5s), 5U);
}

TEST(TokenBucket, IsFullAtANewRateWhenNothingIsOwed) {
  TokenBucket bucket{{.burst = 5, .tokens = 1}, kStart};
  bucket.set_rate({.burst = 9, .tokens = 1}, kStart);
  EXPECT_EQ(bucket.available(kStart), 9U);
  EXPECT_EQ(bucket.available(kStart + 1h), 9U);
}

TEST(TokenBucket, IsNotChangedByTheSameRate) {
  const TokenRate same{.burst = 10, .tokens = 3, .per = 1s};
  TokenBucket often{same, kStart};
  TokenBucket never{same, kStart};
  for (TimePoint now = kStart; now < kStart + 20s; now += 70ms) {
    often.set_rate(same, now);
    EXPECT_EQ(often.take(1, now), never.take(1, now));
  }
  EXPECT_EQ(often.stats().taken, never.stats().taken);
}

TEST(TokenBucket, TakesUpAnotherPeriod) {
  TokenBucket bucket{{.burst = 10, .tokens = 1, .per = 1h}, kStart};
  ASSERT_TRUE(bucket.take(10, kStart));
  bucket.set_rate({.burst = 10, .tokens = 1, .per = 1s}, kStart + 59min);
  EXPECT_EQ(bucket.available(kStart + 59min), 0U);
  EXPECT_EQ(bucket.available(kStart + 59min + 1s), 1U);
  TokenBucket full{{.burst = 10, .tokens = 1, .per = 1h}, kStart};
  full.set_rate({.burst = 10, .tokens = 1, .per = 1s}, kStart);
  ASSERT_TRUE(full.take(10, kStart));
  EXPECT_EQ(full.available(kStart + 1s), 1U);
}

TEST(TokenBucket, WaitForIsExactAndTheRateIsNeverPassed) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& script) {
    const TokenRate rate{.burst = *rc::gen::inRange<std::uint64_t>(1, 50),
                         .tokens = *rc::gen::inRange<std::uint64_t>(1, 20),
                         .per = std::chrono::milliseconds{*rc::gen::inRange(1, 5000)}};
    TokenBucket bucket{rate, kStart};
    TimePoint now = kStart;
    for (const std::uint16_t step : script) {
      now += std::chrono::microseconds{step * 7};
      const std::uint64_t wanted = 1 + step % rate.burst;
      const Duration wait = bucket.wait_for(wanted, now);
      if (wait > 1us) RC_ASSERT_FALSE(bucket.take(wanted, now + wait - 1us));
      now += wait;
      RC_ASSERT(bucket.take(wanted, now));
      const double most =
          static_cast<double>(rate.burst) + static_cast<double>(rate.tokens) *
                                                std::chrono::duration<double>(now - kStart).count() /
                                                std::chrono::duration<double>(rate.per).count();
      RC_ASSERT(static_cast<double>(bucket.stats().taken) <= most + 1e-6);
    }
  }));
}

}  // namespace
}  // namespace sluice::flow
