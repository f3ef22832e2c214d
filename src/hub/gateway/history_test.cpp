#include "hub/gateway/history.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using wire::hub::Position;
using Epoch = History::Epoch;
using Is = Junction::Is;

/// Epoch 3 numbered 1 to 10, 5 nothing, 6 numbered 11 to 20, and 8, the present one, 21 to 30.
History history() {
  return History{{{.epoch = 3, .offset = 1}, {.epoch = 6, .offset = 11}, {.epoch = 8, .offset = 21}},
                 {.epoch = 8, .offset = 30}};
}

void expect_shared(Position asked, Position from) {
  const Junction found = history().junction(asked, Epoch::ours);
  EXPECT_EQ(found.is, Is::shared) << asked.epoch << ":" << asked.offset;
  EXPECT_EQ(found.from, from) << asked.epoch << ":" << asked.offset;
}
void expect_parted(Position asked, Epoch epoch, Position from) {
  const Junction found = history().junction(asked, epoch);
  EXPECT_EQ(found.is, Is::parted) << asked.epoch << ":" << asked.offset;
  EXPECT_EQ(found.from, from) << asked.epoch << ":" << asked.offset;
}

TEST(History, HasTheOffsetsOfEachOfItsEpochs) {
  for (const Position& position :
       {Position{3, 0}, {3, 1}, {3, 10}, {5, 10}, {6, 11}, {6, 20}, {8, 21}, {8, 30}})
    expect_shared(position, position);
}

TEST(History, HasThePositionBeforeAnEpochsFirst) {
  expect_shared({6, 10}, {6, 10});
  expect_shared({8, 20}, {8, 20});
}

TEST(History, TakesAnOffsetWithALaterEpochForWhatItIs) {
  expect_shared({8, 15}, {6, 15});
  expect_shared({6, 4}, {3, 4});
  expect_shared({8, 0}, {3, 0});
}

TEST(History, PartsAtTheEndOfAnEpochThatWentFurtherElsewhere) {
  expect_parted({3, 12}, Epoch::ours, {3, 10});
  expect_parted({5, 11}, Epoch::ours, {3, 10});
  expect_parted({6, 1'000}, Epoch::ours, {6, 20});
  expect_parted({8, 31}, Epoch::ours, {8, 30});
}

TEST(History, PartsAtTheEndOfTheEpochBeforeOneThatItNeverHad) {
  expect_parted({4, 25}, Epoch::foreign, {3, 10});
  expect_parted({7, 25}, Epoch::foreign, {6, 20});
  expect_parted({99, 40}, Epoch::foreign, {8, 30});
}

TEST(History, PartsNoFurtherThanAClientHasCome) {
  expect_parted({99, 1}, Epoch::foreign, {3, 1});
  expect_parted({7, 13}, Epoch::foreign, {6, 13});
}

TEST(History, BeginsAnewForWhoeverSharesNothing) {
  expect_parted({2, 5}, Epoch::foreign, {3, 0});
  expect_parted({1, 1'000}, Epoch::foreign, {3, 0});
}

TEST(History, OfAPositionBeforeAllThatItKnowsSaysThatItIsShared) {
  const History later{{{.epoch = 6, .offset = 11}}, {.epoch = 6, .offset = 12}};
  EXPECT_EQ(later.junction({2, 5}, Epoch::ours).is, Is::shared) << "what came before is known to have been";
  EXPECT_EQ(later.junction({2, 5}, Epoch::ours).from, (Position{2, 5}));
  EXPECT_EQ(later.junction({2, 11}, Epoch::ours).is, Is::parted);
  EXPECT_EQ(later.junction({2, 11}, Epoch::ours).from, (Position{6, 10}));
}

/// Whatever is asked, nothing that is there and that the client may not have seen is skipped.
TEST(History, GoesOnNoFurtherThanTheOffsetThatWasNamed) {
  for (std::uint64_t epoch = 1; epoch < 10; ++epoch) {
    for (std::uint64_t offset = 0; offset < 35; ++offset) {
      for (const Epoch whose : {Epoch::ours, Epoch::foreign})
        EXPECT_LE(history().junction({epoch, offset}, whose).from.offset, offset);
    }
  }
}

}  // namespace
}  // namespace sluice::hub
