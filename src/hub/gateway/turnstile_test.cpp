#include "hub/gateway/turnstile.hpp"

#include <set>

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;

constexpr auto kNewcomer = Turnstile::Standing::newcomer;
constexpr auto kResumes = Turnstile::Standing::resumes;

class TurnstileTest : public testing::Test {
 protected:
  Turnstile make(TurnstileLimits limits) {
    return Turnstile{limits, [this](std::uint64_t below) { return next_++ % below; }, now_};
  }
  /// How many of so many are let in at once.
  std::size_t admitted(Turnstile& turnstile, std::size_t visitors, Turnstile::Standing standing) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < visitors; ++i) {
      if (!turnstile.ask({.standing = standing, .block = std::to_string(i)}, now_)) ++count;
    }
    return count;
  }
  /// The same of one address.
  std::size_t admitted_from(const std::string& block, Turnstile& turnstile, std::size_t visitors,
                            Turnstile::Standing standing = kNewcomer) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < visitors; ++i) {
      if (!turnstile.ask({.standing = standing, .block = block}, now_)) ++count;
    }
    return count;
  }

  TimePoint now_{1h};
  std::uint64_t next_ = 0;
};

TEST_F(TurnstileTest, LetsNoMoreInThanTheRateAllows) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 1'000, kResumes), 300U);
  now_ += 1s;
  EXPECT_EQ(admitted(turnstile, 1'000, kResumes), 100U);
  EXPECT_EQ(turnstile.counts().admitted, 400U);
  EXPECT_EQ(turnstile.counts().resumes_sent_away, 1'600U);
}

TEST_F(TurnstileTest, KeepsAPartForThoseThatResume) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 1'000, kNewcomer), 300U - 300U / limits::kAdmissionResumeShare);
  EXPECT_EQ(admitted(turnstile, 1'000, kResumes), 300U / limits::kAdmissionResumeShare);
}

TEST_F(TurnstileTest, LetsSomeAddressesThatNeverRestBeginNoSecondAnew) {
  Turnstile turnstile = make({.rate = {.burst = 2'000, .tokens = 2'000}});
  for (int moment = 0; moment < 1'000; ++moment, now_ += 10ms) {
    for (int attacker = 0; attacker < 16; ++attacker)
      (void)admitted_from("attacker" + std::to_string(attacker), turnstile, 70);
    if (moment >= 100 && moment % 5 == 0) {
      EXPECT_EQ(admitted_from("victim", turnstile, 1), 1U) << moment;
    }
  }
}

TEST_F(TurnstileTest, LetsNoAddressUseUpTheRateOfAll) {
  for (const Turnstile::Standing attack : {kNewcomer, kResumes}) {
    Turnstile turnstile = make({.rate = {.burst = 600, .tokens = 600}});
    for (int second = 0; second < 10; ++second) {
      EXPECT_EQ(admitted_from("attacker", turnstile, 10'000, attack), 300U) << second;
      EXPECT_EQ(admitted_from("victim", turnstile, 5), 5U) << second;
      EXPECT_EQ(admitted_from("attacker", turnstile, 10'000, attack), 0U) << second;
      EXPECT_EQ(admitted_from("another victim", turnstile, 5, kResumes), 5U) << second;
      now_ += 1s;
    }
  }
}

TEST_F(TurnstileTest, LetsOneAddressHaveTheRateWhileNobodyElseComes) {
  Turnstile turnstile = make({.rate = {.burst = 600, .tokens = 600}});
  EXPECT_EQ(admitted_from("office", turnstile, 10'000), 300U);
  for (int tenth = 0; tenth < 10; ++tenth) {
    now_ += 100ms;
    EXPECT_GE(admitted_from("office", turnstile, 10'000), 60U);
  }
}

TEST_F(TurnstileTest, SendsThemAwayForDifferentTimes) {
  Turnstile turnstile =
      make({.rate = {.burst = 1, .tokens = 1}, .retry_after_min = 2s, .retry_after_max = 5s});
  std::set<std::chrono::seconds> waits;
  const Turnstile::Visitor visitor{.standing = kResumes, .block = "a"};
  EXPECT_FALSE(turnstile.ask(visitor, now_));
  for (int i = 0; i < 20; ++i) waits.insert(*turnstile.ask(visitor, now_));
  EXPECT_EQ(waits, (std::set<std::chrono::seconds>{2s, 3s, 4s, 5s}));
}

TEST_F(TurnstileTest, LetsNoMoreInForANewLimit) {
  Turnstile turnstile = make({.rate = {.burst = 300, .tokens = 100}});
  EXPECT_EQ(admitted(turnstile, 250, kResumes), 250U);
  turnstile.set_limits({.rate = {.burst = 270, .tokens = 100}, .retry_after_min = 1min}, now_);
  EXPECT_EQ(admitted(turnstile, 1'000, kResumes), 20U);
}

TEST_F(TurnstileTest, CanBeSwitchedOff) {
  Turnstile turnstile = make({.enabled = false, .rate = {.burst = 1, .tokens = 1}});
  EXPECT_EQ(admitted(turnstile, 100, kNewcomer), 100U);
}

}  // namespace
}  // namespace sluice::hub
