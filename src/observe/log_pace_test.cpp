#include "observe/log_pace.hpp"

#include <gtest/gtest.h>

namespace sluice::observe {
namespace {

using namespace std::chrono_literals;

TEST(LogPace, SaysEachKindOnceInAPauseAndHowOftenItWas) {
  LogPace pace{1min, 10};
  TimePoint now{1h};
  EXPECT_EQ(pace.note("a", now), 1U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pace.note("a", now += 1s), std::nullopt);
  EXPECT_EQ(pace.note("b", now), 1U);
  now += 55s;
  EXPECT_EQ(pace.note("a", now), 6U);
  EXPECT_EQ(pace.note("a", now), std::nullopt);
}

TEST(LogPace, ForgetsTheKindThatWasSaidLongestAgo) {
  LogPace pace{1min, 2};
  TimePoint now{1h};
  EXPECT_EQ(pace.note("a", now), 1U);
  EXPECT_EQ(pace.note("b", now), 1U);
  EXPECT_EQ(pace.note("a", now += 1min), 1U);
  EXPECT_EQ(pace.note("c", now), 1U);
  EXPECT_EQ(pace.note("a", now), std::nullopt) << "still known";
  EXPECT_EQ(pace.note("b", now), 1U) << "forgotten";
  EXPECT_EQ(pace.kinds(), 2U);
}

}  // namespace
}  // namespace sluice::observe
