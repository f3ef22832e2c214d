#include "observe/log_pace.hpp"

#include <cstdint>
#include <string>

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

TEST(LogPace, ForgetsTheKindThatWasSaidLongestAgoOnceItsPauseIsOver) {
  LogPace pace{1min, 2};
  TimePoint now{1h};
  EXPECT_EQ(pace.note("a", now), 1U);
  EXPECT_EQ(pace.note("b", now), 1U);
  EXPECT_EQ(pace.note("b", now), std::nullopt);
  EXPECT_EQ(pace.note("a", now += 1min), 1U);
  EXPECT_EQ(pace.note("c", now), 1U) << "in place of b";
  EXPECT_EQ(pace.take_others(), 1U) << "b's last one was never said";
  EXPECT_EQ(pace.note("a", now), std::nullopt) << "still known";
  EXPECT_EQ(pace.note("b", now), std::nullopt) << "a and c are too young to make place";
  EXPECT_EQ(pace.take_others(), 1U);
  EXPECT_EQ(pace.kinds(), 2U);
}

TEST(LogPace, SaysNoMoreInAPauseThanItHasPlacesWhateverNewKindsCome) {
  LogPace pace{1min, 10};
  TimePoint now{1h};
  std::uint64_t said = 0;
  for (int i = 0; i < 10'000; ++i) said += pace.note(std::to_string(i), now += 1ms).has_value() ? 1 : 0;
  EXPECT_EQ(said, 10U);
  EXPECT_EQ(pace.take_others(), 9'990U);
  EXPECT_EQ(pace.take_others(), 0U);
  EXPECT_EQ(pace.note("late", now + 1min), 1U);
}

}  // namespace
}  // namespace sluice::observe
