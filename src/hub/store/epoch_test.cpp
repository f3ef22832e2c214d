#include "hub/store/epoch.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::store {
namespace {

constexpr UnixMs kNow = 1'790'000'000'000;  // in 2026

TEST(Epoch, IsAnotherOneForEachStoreAndForEachOpening) {
  const std::uint64_t one = next_epoch({.now = kNow, .random = 1});
  EXPECT_NE(one, next_epoch({.now = kNow, .random = 2})) << "another store in the same moment";
  EXPECT_LT(one, next_epoch({.now = kNow + 16, .random = 0})) << "a later one";
  EXPECT_GE(one, limits::kFirstUniqueEpoch);
}

TEST(Epoch, IsGreaterThanAllBeforeWhateverTheClockSays) {
  for (const UnixMs now : {INT64_MIN, UnixMs{-1}, UnixMs{0}, kNow, INT64_MAX}) {
    const std::uint64_t last = next_epoch({.now = kNow + 1'000, .random = 0x7FFF});
    EXPECT_GT(next_epoch({.last = last, .now = now, .random = 0}), last) << now;
    EXPECT_LE(next_epoch({.last = last, .now = now, .random = UINT64_MAX}), limits::kMaxPosition) << now;
  }
  EXPECT_EQ(next_epoch({.last = 7, .now = 0}), 8U);
}

TEST(Epoch, OfTwoCopiesOfAStoreAreNotTheSameWhenTheClockWasSetBack) {
  const std::uint64_t last = next_epoch({.now = kNow});
  EXPECT_NE(next_epoch({.last = last, .now = kNow - 1'000, .random = 1}),
            next_epoch({.last = last, .now = kNow - 1'000, .random = 2}));
}

/// Clients in JavaScript, and many a JSON tool, read numbers as doubles.
TEST(Epoch, IsExactAsADoubleUntilTheYear2109) {
  const UnixMs end_of_2108 = 4'386'441'600'000;
  EXPECT_LT(next_epoch({.now = end_of_2108, .random = UINT64_MAX}), std::uint64_t{1} << 53);
}

TEST(KnownEpochs, AreThoseOfTheStoreAndAllThatItHasForgotten) {
  const KnownEpochs known{{9, 12, 20}, 5};
  for (const std::uint64_t ours : {1U, 5U, 9U, 12U, 20U}) EXPECT_TRUE(known.contains(ours)) << ours;
  for (const std::uint64_t other : {0U, 6U, 10U, 21U}) EXPECT_FALSE(known.contains(other)) << other;
  EXPECT_EQ(known.present(), 20U);
}

}  // namespace
}  // namespace sluice::hub::store
