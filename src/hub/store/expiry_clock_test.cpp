#include "hub/store/expiry_clock.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::store {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr wire::hub::UnixMs kWall = 1'700'000'000'000;
constexpr milliseconds kUp = 5min;
constexpr milliseconds k8Days = 24h * 8;

ClockReading reading(milliseconds wall, milliseconds elapsed) {
  return {.wall = kWall + wall.count(), .elapsed = kUp + elapsed};
}

TEST(ExpiryClock, GoesWithTheElapsedTime) {
  const ExpiryClock clock{reading(0ms, 0ms), {}};
  EXPECT_EQ(clock.now(reading(0ms, 0ms)), kWall);
  EXPECT_EQ(clock.now(reading(90s, 90s)), kWall + 90'000);
}

TEST(ExpiryClock, DoesNotFollowAWallClockThatIsAheadForAWhile) {
  ExpiryClock clock{reading(0ms, 0ms), {}};
  EXPECT_EQ(clock.observe(reading(1s, 1s)), std::nullopt);
  EXPECT_EQ(clock.observe(reading(k8Days + 2s, 2s)), k8Days);
  EXPECT_EQ(clock.now(reading(k8Days + 2s, 2s)), kWall + 2'000);
  EXPECT_EQ(clock.observe(reading(k8Days + 3s, 3s)), std::nullopt) << "told once";
  EXPECT_EQ(clock.observe(reading(4500ms, 4500ms)), -k8Days);
  EXPECT_EQ(clock.now(reading(4500ms, 4500ms)), kWall + 4'500);
}

TEST(ExpiryClock, GoesOnWhenTheWallClockIsSetBack) {
  ExpiryClock clock{reading(0ms, 0ms), {}};
  EXPECT_EQ(clock.observe(reading(-k8Days, 1s)), -k8Days - 1s);
  EXPECT_EQ(clock.now(reading(-k8Days, 1s)), kWall + 1'000);
}

TEST(ExpiryClock, TellsNoJumpOfAClockThatIsSlewed) {
  ExpiryClock clock{reading(0ms, 0ms), {}};
  // NTP slews by at most 500 ppm; here it is four times as fast, for a day.
  for (milliseconds elapsed = 1s; elapsed <= 24h; elapsed += 60s)
    ASSERT_EQ(clock.observe(reading(elapsed + elapsed / 500, elapsed)), std::nullopt);
}

TEST(ExpiryClock, CountsASuspendAsTime) {
  ExpiryClock clock{reading(0ms, 0ms), {}};
  EXPECT_EQ(clock.observe(reading(8h, 8h)), std::nullopt) << "CLOCK_BOOTTIME goes on meanwhile";
  EXPECT_EQ(clock.now(reading(8h, 8h)), kWall + 8 * 3'600'000);
}

TEST(ExpiryClock, CountsAStopUpToADay) {
  const wire::hub::UnixMs last = kWall - 23 * 3'600'000;
  const ExpiryClock clock{reading(0ms, 0ms), {.time = last, .wall = last}};
  EXPECT_EQ(clock.now(reading(1s, 1s)), kWall + 1'000);
  EXPECT_EQ(clock.jump_at_start(), std::nullopt);
}

TEST(ExpiryClock, BelievesNoWallClockThatIsFarAheadAtTheStart) {
  const wire::hub::UnixMs last = kWall - k8Days.count();
  const ExpiryClock clock{reading(0ms, 0ms), {.time = last, .wall = last}};
  EXPECT_EQ(clock.jump_at_start(), k8Days);
  EXPECT_EQ(clock.now(reading(1s, 1s)), last + 1'000);
}

TEST(ExpiryClock, CountsStopsAgainOnceItIsBehindTheWall) {
  const ExpiryClock clock{reading(0ms, 0ms), {.time = kWall - k8Days.count(), .wall = kWall - 60'000}};
  EXPECT_EQ(clock.jump_at_start(), std::nullopt);
  EXPECT_EQ(clock.now(reading(0ms, 0ms)), kWall - k8Days.count() + 60'000);
}

TEST(ExpiryClock, NeverGoesBackFromRunToRun) {
  const wire::hub::UnixMs last = kWall + 3'600'000;
  const ExpiryClock clock{reading(0ms, 0ms), {.time = last, .wall = last}};
  EXPECT_EQ(clock.jump_at_start(), milliseconds{-1h});
  EXPECT_EQ(clock.now(reading(1s, 1s)), kWall + 3'601'000);
  const ExpiryClock almost{reading(0ms, 0ms), {.time = kWall + 500, .wall = kWall + 500}};
  EXPECT_EQ(almost.jump_at_start(), std::nullopt) << "a drift is not worth a word";
}

}  // namespace
}  // namespace sluice::hub::store
