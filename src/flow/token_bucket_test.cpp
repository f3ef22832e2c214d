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
