#include "client/messaging/progress.hpp"

#include <gtest/gtest.h>

namespace sluice::messaging {
namespace {

using wire::hub::Gap;
using wire::hub::Position;
using Source = Progress::Source;

Position at(std::uint64_t offset, std::uint64_t epoch = 1) {
  return {.epoch = epoch, .offset = offset};
}
Gap gap(std::uint64_t first, std::uint64_t last) {
  return {.epoch = 1, .first = first, .last = last, .count = last - first + 1};
}

TEST(Ranges, JoinWhatTouchesAndSplitWhatIsTakenOut) {
  Ranges ranges{3};
  EXPECT_TRUE(ranges.add({1, 3}));
  EXPECT_TRUE(ranges.add({10, 12}));
  EXPECT_TRUE(ranges.add({4, 5}));
  EXPECT_EQ(ranges.front(), (Range{1, 5}));
  EXPECT_TRUE(ranges.add({5, 9}));
  EXPECT_EQ(ranges.front(), (Range{1, 12}));
  ranges.remove({4, 6});
  ranges.remove({9, 9});
  EXPECT_EQ(ranges.front(), (Range{1, 3}));
  EXPECT_TRUE(ranges.contains(7));
  EXPECT_FALSE(ranges.contains(9));
  EXPECT_FALSE(ranges.add({20, 20})) << "a fourth one";
  ranges.remove({1, 100});
  EXPECT_TRUE(ranges.empty());
}

TEST(Progress, GivesEachMessageOnce) {
  Progress progress;
  EXPECT_FALSE(progress.done());
  EXPECT_TRUE(progress.take(at(5), Source::live));
  EXPECT_FALSE(progress.take(at(5), Source::log));
  EXPECT_FALSE(progress.take(at(4), Source::log));
  EXPECT_TRUE(progress.take(at(6), Source::live));
  EXPECT_EQ(progress.done(), at(6));
}

TEST(Progress, GoesBackToWhatWasNeitherGivenNorTold) {
  Progress progress;
  progress.begin_at(at(3));
  EXPECT_TRUE(progress.take(at(4), Source::live));
  EXPECT_TRUE(progress.take(at(8), Source::live));
  EXPECT_EQ(progress.done(), at(4)) << "5 to 7 are open";
  for (const std::uint64_t offset : {5U, 6U, 7U}) EXPECT_TRUE(progress.take(at(offset), Source::log));
  EXPECT_FALSE(progress.take(at(8), Source::log));
  EXPECT_FALSE(progress.take(at(5), Source::log));
  EXPECT_EQ(progress.done(), at(8));
}

TEST(Progress, TakesAGapThatComesAheadOfWhatWaitsBeforeIt) {
  Progress progress;
  progress.begin_at(at(0));
  progress.tell(gap(4, 6));
  EXPECT_EQ(progress.done(), at(0));
  for (const std::uint64_t offset : {1U, 2U, 3U}) EXPECT_TRUE(progress.take(at(offset), Source::live));
  EXPECT_EQ(progress.done(), at(6));
  EXPECT_TRUE(progress.take(at(7), Source::live));
  EXPECT_EQ(progress.done(), at(7));
}

TEST(Progress, DoesNotGiveWhatItWasToldIsMissing) {
  Progress progress;
  progress.tell(gap(1, 2));  // the first thing that it hears of at all
  progress.tell(gap(5, 7));
  EXPECT_FALSE(progress.take(at(2), Source::log));
  EXPECT_TRUE(progress.take(at(3), Source::live));
  EXPECT_FALSE(progress.take(at(6), Source::live));
  EXPECT_EQ(progress.done(), at(3)) << "4 is open";
  EXPECT_TRUE(progress.take(at(4), Source::log));
  EXPECT_EQ(progress.done(), at(7));
  progress.tell(gap(10, 10));
  EXPECT_TRUE(progress.take(at(10, 2), Source::live)) << "of another epoch";
}

TEST(Progress, TakesAGapThatComesBehindWhatFollowed) {
  Progress progress;
  progress.begin_at(at(0));
  EXPECT_TRUE(progress.take(at(9), Source::live));
  progress.tell(gap(1, 8));
  EXPECT_EQ(progress.done(), at(9));
  EXPECT_FALSE(progress.take(at(3), Source::log)) << "it was told";
  progress.want({.first = 3, .last = 3});
  EXPECT_TRUE(progress.take(at(3), Source::log)) << "it is pulled";
  EXPECT_FALSE(progress.take(at(3), Source::log));
}

TEST(Progress, LearnsNothingOfSingleMessagesFromAGapThatPutsSomeTogether) {
  Progress progress;
  progress.begin_at(at(0));
  Gap some = gap(1, 5);
  some.count = 3;
  progress.tell(some);
  EXPECT_TRUE(progress.take(at(2), Source::live));
  EXPECT_EQ(progress.done(), at(0));
}

TEST(Progress, StaysBeforeWhatIsBeingFilled) {
  Progress progress;
  progress.begin_at(at(0));
  EXPECT_TRUE(progress.take(at(1), Source::live));
  progress.fill(gap(2, 5));
  EXPECT_TRUE(progress.take(at(6), Source::live));
  progress.fill(gap(7, 8));
  EXPECT_TRUE(progress.take(at(9), Source::live));
  EXPECT_EQ(progress.done(), at(1));
  EXPECT_EQ(progress.reached(), at(9)) << "this session fills it by itself";
  EXPECT_TRUE(progress.take(at(2), Source::log));
  EXPECT_EQ(progress.done(), at(2));
  EXPECT_TRUE(progress.take(at(4), Source::log)) << "3 has expired";
  EXPECT_EQ(progress.done(), at(4));
  progress.filled({.first = 2, .last = 5});
  EXPECT_EQ(progress.done(), at(6)) << "7 is still to come";
  EXPECT_TRUE(progress.take(at(7), Source::log));
  EXPECT_TRUE(progress.take(at(8), Source::log));
  EXPECT_EQ(progress.done(), at(9));
}

TEST(Progress, StaysBeforeAGapThatItBeginsWith) {
  Progress progress;
  progress.fill(gap(3, 4));
  EXPECT_FALSE(progress.done());
  EXPECT_TRUE(progress.take(at(5), Source::live));
  EXPECT_EQ(progress.done(), at(2));
  progress.filled_to(at(3));
  EXPECT_EQ(progress.done(), at(3)) << "the page had nothing that is not worthless by now";
  progress.filled({.first = 3, .last = 4});
  EXPECT_EQ(progress.done(), at(5));
}

TEST(Progress, DoesNotGoBackForWhatItsOwnerPulls) {
  Progress progress;
  progress.begin_at(at(20));
  progress.want({.first = 3, .last = 9});
  EXPECT_TRUE(progress.take(at(3), Source::log));
  EXPECT_EQ(progress.done(), at(20)) << "it was given long ago, or was never missed";
}

TEST(Progress, TakesAnOldOffsetOfANewEpochForAnotherMessage) {
  Progress progress;
  EXPECT_TRUE(progress.take(at(50, 3), Source::live));
  EXPECT_TRUE(progress.take(at(46, 4), Source::live));
  EXPECT_EQ(progress.done(), at(46, 4));
  EXPECT_FALSE(progress.take(at(50, 3), Source::log));
}

TEST(Progress, TakesTheLogsSilenceForWhatHasExpired) {
  Progress progress;
  progress.begin_at(at(1));
  EXPECT_TRUE(progress.take(at(5), Source::log));
  EXPECT_EQ(progress.done(), at(5));
}

TEST(Progress, GoesOnInAnotherHistoryWhateverWasGivenBefore) {
  Progress progress;
  EXPECT_TRUE(progress.take({.epoch = 9, .offset = 20}, Progress::Source::live));
  EXPECT_TRUE(progress.take({.epoch = 9, .offset = 25}, Progress::Source::live));  // a hole
  progress.tell({.epoch = 9, .first = 30, .last = 40, .count = 11});
  progress.go_on_from({.epoch = 4, .offset = 10});
  EXPECT_EQ(progress.reached(), (wire::hub::Position{.epoch = 4, .offset = 10}));
  for (std::uint64_t offset = 11; offset <= 45; ++offset)
    EXPECT_TRUE(progress.take({.epoch = 5, .offset = offset}, Progress::Source::log)) << offset;
  EXPECT_EQ(progress.reached(), (wire::hub::Position{.epoch = 5, .offset = 45}));
}

TEST(Progress, StillTakesWhatIsPulledOfTheSharedPart) {
  Progress progress;
  progress.begin_at({.epoch = 9, .offset = 5});
  progress.fill({.epoch = 9, .first = 6, .last = 15, .count = 10});
  progress.go_on_from({.epoch = 9, .offset = 8});
  EXPECT_TRUE(progress.take({.epoch = 9, .offset = 7}, Progress::Source::log));
  EXPECT_TRUE(progress.take({.epoch = 10, .offset = 9}, Progress::Source::live));
  EXPECT_FALSE(progress.take({.epoch = 10, .offset = 9}, Progress::Source::log)) << "nobody wants it again";
}

}  // namespace
}  // namespace sluice::messaging
