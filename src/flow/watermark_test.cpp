#include "flow/watermark.hpp"

#include <chrono>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace literals;
using namespace std::chrono_literals;

constexpr TimePoint kStart{};

TEST(Watermark, ClosesOnceAtHighAndOpensOnceAtLow) {
  Watermark mark{{.low = 16_KiB, .high = 64_KiB}};
  EXPECT_EQ(mark.add(64_KiB, kStart), Edge::closed);
  EXPECT_EQ(mark.add(8_KiB, kStart), Edge::none);     // closed already
  EXPECT_EQ(mark.drain(55_KiB, kStart), Edge::none);  // 17 KiB held
  EXPECT_EQ(mark.drain(1_KiB, kStart), Edge::opened);
  EXPECT_EQ(mark.drain(16_KiB, kStart), Edge::none);
}

TEST(Watermark, TakesAbsoluteAmounts) {
  Watermark mark{{.low = 10_B, .high = 20_B}};
  EXPECT_EQ(mark.set(19_B, kStart), Edge::none);
  EXPECT_EQ(mark.set(20_B, kStart), Edge::closed);
  EXPECT_EQ(mark.set(11_B, kStart), Edge::none);
  EXPECT_EQ(mark.set(10_B, kStart), Edge::opened);
}

TEST(Watermark, RefusesMarksWithoutRoomBetweenThem) {
  EXPECT_TRUE(Watermarks::make({.low = 0_B, .high = 1_B}));
  for (const Watermarks marks : {Watermarks{.low = 5_B, .high = 5_B}, Watermarks{.low = 6_B, .high = 5_B}}) {
    const auto made = Watermarks::make(marks);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid_argument);
  }
}

TEST(Watermark, CountsTheTimeClosedWhileItLasts) {
  Watermark mark{{.low = 1_B, .high = 10_B}};
  mark.add(12_B, kStart);
  EXPECT_EQ(mark.stats(kStart + 3s).time_closed, 3s);
  mark.drain(12_B, kStart + 5s);
  mark.add(10_B, kStart + 100s);
  mark.drain(10_B, kStart + 101s);
  const auto stats = mark.stats(kStart + 200s);
  EXPECT_EQ(stats.times_closed, 2U);
  EXPECT_EQ(stats.time_closed, 6s);
  EXPECT_EQ(stats.peak, 12_B);
  EXPECT_EQ(stats.now, 0_B);
}

TEST(Watermark, IsClosedExactlyFromHighDownToLow) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& amounts) {
    Watermark mark{{.low = 60_B, .high = 180_B}};
    bool open = true;
    for (const std::uint8_t amount : amounts) {
      const Edge edge = mark.set(Bytes{amount}, kStart);
      if (amount >= 180) open = false;
      if (amount <= 60) open = true;
      RC_ASSERT(mark.is_open() == open);
      RC_ASSERT(edge != Edge::opened || open);
      RC_ASSERT(edge != Edge::closed || !open);
    }
  }));
}

}  // namespace
}  // namespace sluice::flow
