#include "hub/gateway/turnstile.hpp"

#include <set>

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;

class TurnstileTest : public testing::Test {
 protected:
  Turnstile make(TurnstileLimits limits) {
    return Turnstile{limits, [this](std::uint64_t below) { return next_++ % below; }, now_};
  }
  /// How many of so many are let in at once.
  std::size_t admitted(Turnstile& turnstile, std::size_t visitors, bool resumes) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < visitors; ++i) {
      if (!turnstile.ask({.resumes = resumes, .greetings = 0}, now_)) ++count;
    }
    return count;
  }

  TimePoint now_{1h};
  std::uint64_t next_ = 0;
};

TEST_F(TurnstileTest, LetsNoMoreInThanTheRateAllows) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 1'000, true), 300U);
  now_ += 1s;
  EXPECT_EQ(admitted(turnstile, 1'000, true), 100U);
  EXPECT_EQ(turnstile.counts().admitted, 400U);
  EXPECT_EQ(turnstile.counts().resumes_sent_away, 1'600U);
}

TEST_F(TurnstileTest, KeepsAPartForThoseThatResume) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 1'000, false), 300U - 300U / limits::kAdmissionResumeShare);
  EXPECT_EQ(admitted(turnstile, 1'000, true), 300U / limits::kAdmissionResumeShare);
}

TEST_F(TurnstileTest, LetsNobodyInWhileAsManyAreBeingGreetedAsMayBe) {
  Turnstile turnstile = make({.greetings = 90});
  EXPECT_FALSE(turnstile.ask({.resumes = false, .greetings = 0}, now_));
  EXPECT_TRUE(turnstile.ask({.resumes = false, .greetings = 60}, now_));
  EXPECT_FALSE(turnstile.ask({.resumes = true, .greetings = 89}, now_));
  EXPECT_TRUE(turnstile.ask({.resumes = true, .greetings = 90}, now_));
}

TEST_F(TurnstileTest, LetsNoAddressKeepTheOthersOut) {
  Turnstile turnstile = make({});
  constexpr std::size_t kMost = limits::kMaxHandshakesPerAddress;
  EXPECT_FALSE(turnstile.ask({.resumes = true, .greetings = kMost, .from_there = kMost - 1}, now_));
  EXPECT_TRUE(turnstile.ask({.resumes = true, .greetings = kMost, .from_there = kMost}, now_));
  EXPECT_FALSE(turnstile.ask({.resumes = true, .greetings = kMost, .from_there = 0}, now_));
}

TEST_F(TurnstileTest, SendsThemAwayForDifferentTimes) {
  Turnstile turnstile = make({.greetings = 0, .retry_after_min = 2s, .retry_after_max = 5s});
  std::set<std::chrono::seconds> waits;
  for (int i = 0; i < 20; ++i) waits.insert(*turnstile.ask({.resumes = true, .greetings = 0}, now_));
  EXPECT_EQ(waits, (std::set<std::chrono::seconds>{2s, 3s, 4s, 5s}));
}

TEST_F(TurnstileTest, LetsNoMoreInForANewLimit) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 250, true), 250U);
  turnstile.set_limits({.rate = {.burst = 270, .tokens = 100}, .retry_after_min = 1min}, now_);
  EXPECT_EQ(admitted(turnstile, 1'000, true), 20U);
}

TEST_F(TurnstileTest, CanBeSwitchedOff) {
  Turnstile turnstile = make({.enabled = false, .greetings = 0, .rate = {.burst = 1, .tokens = 1}});
  EXPECT_EQ(admitted(turnstile, 100, false), 100U);
}

}  // namespace
}  // namespace sluice::hub
