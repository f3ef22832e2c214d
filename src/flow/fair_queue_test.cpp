#include "flow/fair_queue.hpp"

#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace literals;

using Queue = FairQueue<int>;

/// What a key sends in one go when it may send `allowance`: as large as its packets are, cut to fit.
Bytes send_one(Queue& queue, Bytes packet) {
  const auto turn = queue.next().value();
  const Bytes sent = std::min(turn.allowance, packet);
  queue.charge(turn.key, sent);
  return sent;
}

TEST(FairQueue, HasNothingToSayWhileNobodyIsActive) {
  Queue queue;
  EXPECT_EQ(queue.next(), std::nullopt);
  EXPECT_TRUE(queue.empty());
}

TEST(FairQueue, GoesRoundInTheOrderOfActivation) {
  Queue queue{{.quantum = 10_B, .max_keys = 8}};
  for (const int key : {3, 1, 2}) ASSERT_TRUE(queue.activate(key));
  std::vector<int> order;
  for (int i = 0; i < 6; ++i) {
    order.push_back(queue.next()->key);
    EXPECT_EQ(queue.next()->allowance, 10_B);
    queue.charge(order.back(), 10_B);
  }
  EXPECT_EQ(order, (std::vector{3, 1, 2, 3, 1, 2}));
}

TEST(FairQueue, TurnLastsUntilItsAllowanceIsUsedUp) {
  Queue queue{{.quantum = 10_B, .max_keys = 8}};
  ASSERT_TRUE(queue.activate(1));
  ASSERT_TRUE(queue.activate(2));
  queue.charge(queue.next()->key, 4_B);
  EXPECT_EQ(queue.next()->key, 1);
  EXPECT_EQ(queue.next()->allowance, 6_B);
  queue.charge(1, 6_B);
  EXPECT_EQ(queue.next()->key, 2);
}

TEST(FairQueue, ForgetsTheDeficitOfAKeyThatLeaves) {
  Queue queue{{.quantum = 10_B, .max_keys = 8}};
  ASSERT_TRUE(queue.activate(1));
  ASSERT_TRUE(queue.activate(2));
  queue.charge(queue.next()->key, 1_B);
  queue.deactivate(1);
  queue.deactivate(1);
  EXPECT_EQ(queue.next()->key, 2);
  ASSERT_TRUE(queue.activate(1));
  queue.charge(2, 10_B);
  EXPECT_EQ(queue.next()->allowance, 10_B);
  queue.charge(7, 5_B);  // not active: only counted
  EXPECT_EQ(queue.stats().charged, 16_B);
}

TEST(FairQueue, ActivatingTwiceKeepsThePlace) {
  Queue queue{{.quantum = 10_B, .max_keys = 8}};
  ASSERT_TRUE(queue.activate(1));
  ASSERT_TRUE(queue.activate(2));
  ASSERT_TRUE(queue.activate(1));
  EXPECT_EQ(queue.next()->key, 1);
  EXPECT_EQ(queue.stats().active, 2U);
}

TEST(FairQueue, RefusesMoreKeysThanItsBound) {
  Queue queue{{.quantum = 10_B, .max_keys = 2}};
  ASSERT_TRUE(queue.activate(1));
  ASSERT_TRUE(queue.activate(2));
  EXPECT_EQ(queue.activate(3).error().code, Errc::limit_exceeded);
  EXPECT_EQ(queue.stats().refused, 1U);
  queue.deactivate(1);
  EXPECT_TRUE(queue.activate(3));
}

TEST(FairQueue, SharesByBytesWhateverTheSizeOfThePackets) {
  EXPECT_TRUE(rc::check([] {
    const auto sizes = *rc::gen::container<std::vector<int>>(*rc::gen::inRange<std::size_t>(2, 9),
                                                             rc::gen::inRange(1, 70'000));
    const auto weights =
        *rc::gen::container<std::vector<std::uint32_t>>(sizes.size(), rc::gen::inRange(1U, 5U));
    Queue queue;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      RC_ASSERT(queue.activate(static_cast<int>(i), weights[i]).has_value());
    }
    std::vector<Bytes> sent(sizes.size());
    for (int packet = 0; packet < 2000; ++packet) {
      const auto who = static_cast<std::size_t>(queue.next()->key);
      const Bytes one = send_one(queue, Bytes{static_cast<std::uint64_t>(sizes[who])});
      sent[who] += one;
      for (std::size_t other = 0; other < sizes.size(); ++other) {
        const Bytes mine = sent[who] / weights[who];
        const Bytes theirs = sent[other] / weights[other];
        RC_ASSERT(mine - theirs <= limits::kFairQuantum);
      }
    }
  }));
}

TEST(FairQueue, SmallStreamHasItsTurnWithinOneRound) {
  EXPECT_TRUE(rc::check([] {
    Queue queue;
    const int greedy = *rc::gen::inRange(1, 40);
    for (int key = 1; key <= greedy; ++key) RC_ASSERT(queue.activate(key).has_value());
    const int before = *rc::gen::inRange(0, 500);
    for (int i = 0; i < before; ++i) send_one(queue, 9_KiB);
    RC_ASSERT(queue.activate(0).has_value());
    Bytes waited;
    while (queue.next()->key != 0) waited += send_one(queue, 9_KiB);
    RC_ASSERT(waited <= limits::kFairQuantum * static_cast<std::uint64_t>(greedy));
  }));
}

}  // namespace
}  // namespace sluice::flow
