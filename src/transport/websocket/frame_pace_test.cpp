#include "transport/websocket/frame_pace.hpp"

#include <gtest/gtest.h>

namespace sluice::websocket {
namespace {

using namespace std::chrono_literals;

TEST(FramePace, StopsReadingFromAClientThatFloodsPingsAndGivesItUpInTheEnd) {
  FramePace pace;
  TimePoint now{1h};
  int pings = 0;
  while (!pace.stop(now)) {
    pace.on_control_frame(now);
    ++pings;
  }
  EXPECT_EQ(pings, 100);
  const TimePoint begun = now;
  for (; !pace.exhausted(); pings = 0) {
    pace.on_control_frame(now);
    if (const auto pause = pace.stop(now)) now += *pause;
  }
  EXPECT_GE(now - begun, 9s) << "it has had time to come to its senses";
  EXPECT_LE(now - begun, 15s);
}

TEST(FramePace, LeavesAClientAloneThatPingsOftenButNotTooOften) {
  FramePace pace;
  TimePoint now{1h};
  for (int i = 0; i < 10'000; ++i, now += 60ms) {
    pace.on_control_frame(now);
    ASSERT_FALSE(pace.stop(now)) << i;
  }
}

TEST(FramePace, ForgivesAClientThatStaysWithinItsRateForAWhile) {
  FramePace pace;
  TimePoint now{1h};
  for (int burst = 0; burst < 100; ++burst, now += 1min) {
    for (int i = 0; i < 110; ++i) pace.on_control_frame(now);
    ASSERT_TRUE(pace.stop(now));
    ASSERT_FALSE(pace.exhausted()) << burst;
  }
}

TEST(FramePace, CountsSmallFragments) {
  FramePace pace;
  const TimePoint now{1h};
  pace.on_small_fragments(4'000, now);
  EXPECT_FALSE(pace.stop(now));
  pace.on_small_fragments(4'000, now);
  EXPECT_TRUE(pace.stop(now));
}

}  // namespace
}  // namespace sluice::websocket
