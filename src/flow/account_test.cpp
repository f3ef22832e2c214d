#include "flow/account.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::flow {
namespace {

using namespace literals;

class AccountTest : public testing::Test {
 protected:
  std::shared_ptr<Account> process = std::make_shared<Account>(100_B);
  std::shared_ptr<Account> user = std::make_shared<Account>(60_B, process);
  Account connection{40_B, user};
};

TEST_F(AccountTest, ChargesEveryoneAbove) {
  EXPECT_TRUE(connection.try_charge(30_B));
  EXPECT_EQ(connection.stats().held, 30_B);
  EXPECT_EQ(user->stats().held, 30_B);
  EXPECT_EQ(process->stats().held, 30_B);
  connection.release(10_B);
  EXPECT_EQ(process->stats().held, 20_B);
  EXPECT_EQ(process->stats().peak, 30_B);
}

TEST_F(AccountTest, RefusesAllOfItWhereOneAboveIsFull) {
  Account other{40_B, user};
  ASSERT_TRUE(other.try_charge(40_B));
  EXPECT_FALSE(connection.try_charge(21_B)) << "the user's limit";
  EXPECT_EQ(connection.stats().held, 0_B);
  EXPECT_EQ(process->stats().held, 40_B);
  EXPECT_TRUE(connection.try_charge(20_B));
  EXPECT_FALSE(connection.try_charge(1_B));
  EXPECT_EQ(connection.stats().refused, 2U);
}

TEST_F(AccountTest, WhatCannotBeRefusedMayPassTheLimitAndSaysSo) {
  EXPECT_FALSE(connection.over());
  connection.charge(70_B);
  EXPECT_TRUE(connection.over());
  EXPECT_TRUE(user->over());
  EXPECT_FALSE(process->over());
  connection.release(70_B);
  EXPECT_FALSE(connection.over());
}

TEST_F(AccountTest, GivesBackWhatItHeldWhenItGoes) {
  {
    Account other{40_B, user};
    ASSERT_TRUE(other.try_charge(35_B));
  }
  EXPECT_EQ(process->stats().held, 0_B);
}

TEST_F(AccountTest, ThreadsTogetherNeverPassTheLimit) {
  const auto root = std::make_shared<Account>(1'000_B);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&root] {
      Account mine{Bytes::max(), root};
      for (int round = 0; round < 20'000; ++round) {
        if (mine.try_charge(300_B)) mine.release(300_B);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(root->stats().held, 0_B);
  EXPECT_LE(root->stats().peak, 1'000_B);
}

}  // namespace
}  // namespace sluice::flow
