#include "flow/pool.hpp"

#include <deque>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

std::uint64_t take_all(Pool::Share& share) {
  std::uint64_t taken = 0;
  while (share.take(1)) ++taken;
  return taken;
}

TEST(Pool, LeavesSomethingForANewcomerWhenOneTakesAllThatItGets) {
  const auto pool = std::make_shared<Pool>(1000);
  Pool::Share greedy{pool};
  EXPECT_EQ(take_all(greedy), 800U);
  Pool::Share late{pool};
  EXPECT_EQ(take_all(late), 160U);
  EXPECT_EQ(pool->left(), 40U);
  EXPECT_EQ(pool->stats().refused, 2U);
}

TEST(Pool, GivesEqualSharesToThoseWhoTakeInTurns) {
  const auto pool = std::make_shared<Pool>(900);
  Pool::Share one{pool};
  Pool::Share other{pool};
  for (int i = 0; i < 1000; ++i) {
    (void)one.take(1);
    (void)other.take(1);
  }
  EXPECT_EQ(one.held(), 400U);
  EXPECT_EQ(other.held(), 400U);
}

TEST(Pool, LetsTheGreedyTakeNoMoreUntilTheOthersHaveCaughtUp) {
  const auto pool = std::make_shared<Pool>(1000);
  Pool::Share greedy{pool};
  (void)take_all(greedy);
  Pool::Share late{pool};
  (void)take_all(late);
  greedy.give(100);
  EXPECT_FALSE(greedy.take(1));
  EXPECT_TRUE(late.take(1));
}

TEST(Pool, HasAPartForEachSessionHoweverGreedyTheOthersAre) {
  const auto pool = std::make_shared<Pool>(PoolOptions{.capacity = 4000, .sessions = 10});
  std::deque<Pool::Share> shares;
  for (int i = 0; i < 10; ++i) EXPECT_GE(take_all(shares.emplace_back(pool)), 100U) << i;
  EXPECT_EQ(shares.front().held(), 100U + 2400);  // and four fifths of what is not set aside
  Pool::Share one_too_many{pool};
  EXPECT_EQ(take_all(one_too_many), 0U);

  shares.pop_back();
  Pool::Share after_it{pool};
  EXPECT_EQ(take_all(after_it), 100U);
}

TEST(Pool, HasBackWhatAShareHeldWhenItGoes) {
  const auto pool = std::make_shared<Pool>(10);
  {
    Pool::Share share{pool};
    EXPECT_TRUE(share.take(5));
    EXPECT_EQ(pool->left(), 5U);
  }
  EXPECT_EQ(pool->left(), 10U);
  EXPECT_EQ(pool->stats().peak, 5U);
}

TEST(Pool, BoundsNothingWhereThereIsNone) {
  Pool::Share share{nullptr};
  EXPECT_TRUE(share.take(std::uint64_t{1} << 40U));
  share.give(std::uint64_t{1} << 40U);
}

TEST(Pool, NeverGivesMoreThanThereIsAndForgetsNothing) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& steps) {
    const auto pool = std::make_shared<Pool>(PoolOptions{.capacity = 5000, .sessions = 3});
    {
      std::deque<Pool::Share> shares;
      for (int i = 0; i < 4; ++i) shares.emplace_back(pool);
      for (const std::uint16_t step : steps) {
        Pool::Share& share = shares[step % 4];
        if (step % 3 == 0) {
          share.give(share.held() / 2);
        } else {
          const std::uint64_t room = share.room();
          RC_ASSERT(share.take(step) == (step <= room));
        }
        std::uint64_t sum = 0;
        for (const Pool::Share& each : shares) sum += each.held();
        RC_ASSERT(sum + pool->left() == 5000U);
      }
    }
    RC_ASSERT(pool->left() == 5000U);
  }));
}

}  // namespace
}  // namespace sluice::flow
