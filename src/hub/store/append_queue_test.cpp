#include "hub/store/append_queue.hpp"

#include <gtest/gtest.h>

#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace literals;

Append append_of(std::uint64_t ticket, std::size_t size = 10, const std::string& sender = "alice") {
  auto message =
      testing::message(testing::group("g"), {.epoch = 1, .offset = ticket}, std::string(size, 'x'));
  message->from = sender;
  return {.ticket = ticket, .message = std::move(message)};
}

TEST(AppendQueue, GivesOutInOrderAndCountsUntilSettled) {
  AppendQueue queue{{.messages = 2, .bytes = 1_MiB}};
  EXPECT_TRUE(queue.push(append_of(1)));
  EXPECT_TRUE(queue.push(append_of(2)));
  EXPECT_FALSE(queue.push(append_of(3)));
  const auto taken = queue.take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].ticket, 1U);
  EXPECT_EQ(taken[1].ticket, 2U);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.push(append_of(3))) << "what is being committed still counts";
  queue.settled(taken);
  EXPECT_EQ(queue.unsettled(), 0U);
  EXPECT_TRUE(queue.push(append_of(3)));
}

TEST(AppendQueue, RefusesWhatItHasNoBytesFor) {
  AppendQueue queue{{.messages = 100, .bytes = 2_KiB}};
  EXPECT_TRUE(queue.push(append_of(1, 1'000)));
  EXPECT_FALSE(queue.push(append_of(2, 1'000, "bob")));
  EXPECT_TRUE(queue.push(append_of(3, 100)));
  queue.settled(queue.take());
  EXPECT_TRUE(queue.push(append_of(2, 1'000)));
}

TEST(AppendQueue, TakesNoMoreThanACommitDoes) {
  AppendQueue queue{{.messages = 10'000, .bytes = 100_MiB}};
  for (std::uint64_t i = 1; i <= limits::kCommitMessages + 1; ++i) EXPECT_TRUE(queue.push(append_of(i)));
  EXPECT_EQ(queue.take().size(), limits::kCommitMessages);
  EXPECT_EQ(queue.take().size(), 1U);

  const std::size_t large = limits::kCommitBytes.count() / 2;
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(queue.push(append_of(i, large)));
  EXPECT_EQ(queue.take().size(), 1U) << "with their overhead two are over it";
}

TEST(AppendQueue, LeavesOthersRoomHoweverMuchOneSenderStores) {
  AppendQueue queue{{.messages = 900, .bytes = 1_MiB}};
  std::uint64_t ticket = 0;
  while (queue.push(append_of(++ticket, 10, "attacker"))) {
  }
  EXPECT_EQ(queue.unsettled(), 800U);
  for (int i = 0; i < 80; ++i) EXPECT_TRUE(queue.push(append_of(++ticket, 10, "victim"))) << i;
  EXPECT_FALSE(queue.push(append_of(++ticket, 10, "attacker")));

  AppendQueue bytes{{.messages = 100'000, .bytes = 9_MiB}};
  std::size_t held = 0;
  for (; bytes.push(append_of(++ticket, 60'000, "attacker")); ++held) {
  }
  EXPECT_LE(held * 60'000, (8_MiB).count());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(bytes.push(append_of(++ticket, 1'000, "victim"))) << i;
  while (!bytes.empty()) bytes.settled(bytes.take());
  EXPECT_EQ(bytes.unsettled(), 0U);
  EXPECT_TRUE(bytes.push(append_of(++ticket, 60'000, "attacker")));
}

TEST(AppendQueue, TakesOneThatIsLargerThanACommit) {
  AppendQueue queue{{.messages = 10, .bytes = 100_MiB}};
  EXPECT_TRUE(queue.push(append_of(1, 2 * limits::kCommitBytes.count())));
  EXPECT_EQ(queue.take().size(), 1U);
}

}  // namespace
}  // namespace sluice::hub::store
