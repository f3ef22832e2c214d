#include "hub/service/user_shares.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::service {
namespace {

using namespace std::chrono_literals;

class UserSharesTest : public ::testing::Test {
 protected:
  UserSharesTest() {
    settings.per_user.messages = {.burst = 10, .tokens = 1, .per = 1h};
    shares.set_settings(settings);
  }
  UserSharesTest(const UserSharesTest&) = delete;
  UserSharesTest& operator=(const UserSharesTest&) = delete;
  ~UserSharesTest() override = default;

  /// Users who come and go, as many as it takes for the others to be looked at.
  void let_others_come() {
    for (int i = 0; i < 3'000; ++i) (void)shares.of(std::to_string(i));
  }

  GatewaySettings settings;
  Ledger ledger{settings};
  UserShares shares{settings, ledger};
};

TEST_F(UserSharesTest, AreTheSameForAllConnectionsOfAUser) {
  const auto first = shares.of("ann");
  EXPECT_EQ(first, shares.of("ann"));
  EXPECT_NE(first, shares.of("bob"));
  EXPECT_EQ(shares.size(), 1U) << "of those who are connected";
}

TEST_F(UserSharesTest, WhoComesAgainHasWhatTheyLeft) {
  shares.of("ann")->messages.take(10, Clock::now());
  EXPECT_EQ(shares.size(), 0U);
  let_others_come();
  EXPECT_GT(shares.of("ann")->messages.wait_for(1, Clock::now()), Duration::zero());
}

TEST_F(UserSharesTest, WhatIsOwedIsOwedAlsoAfterAChange) {
  const auto ann = shares.of("ann");
  ann->messages.take(10, Clock::now());
  settings.per_user.messages.burst = 20;
  shares.set_settings(settings);
  EXPECT_EQ(ann->messages.wait_for(10, Clock::now()), Duration::zero()) << "what the burst has grown by";
  EXPECT_GT(ann->messages.wait_for(11, Clock::now()), Duration::zero());
  settings.per_user.messages.burst = 10;
  settings.per_user.messages.tokens = 2;
  shares.set_settings(settings);
  EXPECT_GT(ann->messages.wait_for(1, Clock::now()), Duration::zero());
}

TEST_F(UserSharesTest, WhoOwesNothingIsForgotten) {
  const std::weak_ptr<UserShare> ann = shares.of("ann");
  EXPECT_FALSE(ann.expired());
  let_others_come();
  EXPECT_TRUE(ann.expired());
}

}  // namespace
}  // namespace sluice::hub::service
