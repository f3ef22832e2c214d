#include "api/reconnect_pace.hpp"

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

using namespace std::chrono_literals;

constexpr flow::BackoffOptions kOptions{.first = 500ms, .longest = 30s};

TEST(ReconnectPace, GrowsWhileTunnelsEndAtOnce) {
  ReconnectPace pace{kOptions};
  TimePoint now{};
  Duration last{};
  for (int i = 0; i < 6; ++i) {
    pace.connected(now);
    const Duration pause = pace.pause_after({.why = Errc::link_lost, .random = 1.0}, now + 1s);
    EXPECT_GT(pause, last);
    last = pause;
    now += 1s + pause;
  }
  EXPECT_EQ(last, 16s);
}

TEST(ReconnectPace, BeginsAnewAfterAStableMinuteOnly) {
  ReconnectPace pace{kOptions};
  TimePoint now{};
  for (int i = 0; i < 4; ++i) (void)pace.pause_after({.why = Errc::unreachable, .random = 1.0}, now);
  pace.connected(now);
  EXPECT_EQ(pace.pause_after({.why = Errc::link_lost, .random = 1.0}, now + 59s), 8s);
  pace.connected(now);
  EXPECT_EQ(pace.pause_after({.why = Errc::link_lost, .random = 1.0}, now + 60s), 500ms);
  // An attempt that fails later does not count the minute of the tunnel before it once more.
  EXPECT_EQ(pace.pause_after({.why = Errc::unreachable, .random = 1.0}, now + 1h), 1s);
}

TEST(ReconnectPace, AsksAHostThatIsFullAFewTimesInFifteenSeconds) {
  for (const double random : {0.0, 0.5, 0.99}) {
    ReconnectPace pace{kOptions};
    TimePoint now{};
    int visits = 1;
    while (true) {
      now += pace.pause_after({.why = Errc::busy, .random = random}, now);
      if (now > TimePoint{} + 15s) break;
      ++visits;
    }
    EXPECT_LE(visits, 5) << random;
  }
}

}  // namespace
}  // namespace sluice::api
