#include "hub/store/sender_shares.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::store {
namespace {

using namespace literals;

constexpr crypto::ShortHashKey kKey{};
const Retention kBounds{.age = std::chrono::hours{1}, .count = 100, .bytes = 10'000_B};

TEST(SenderShares, ProtectsWhoHoldsLittleOfAnInbox) {
  SenderShares shares{kKey};
  const auto bob = shares.sender("bob"), eve = shares.sender("eve");
  SenderShares::Inbox inbox;
  inbox.add(eve, {.count = 90, .bytes = 9'000});
  EXPECT_FALSE(inbox.protects(eve, kBounds)) << "alone";
  inbox.add(bob, {.count = 10, .bytes = 1'000});
  EXPECT_TRUE(inbox.protects(bob, kBounds));
  EXPECT_FALSE(inbox.protects(eve, kBounds));
  inbox.add(bob, {.count = 1, .bytes = 5'000});
  EXPECT_FALSE(inbox.protects(bob, kBounds)) << "more than half of an equal part";
  for (int i = 0; i < 90; ++i) inbox.take_off(eve, 100);
  EXPECT_EQ(inbox.senders(), 1U);
}

TEST(SenderShares, ProtectsWhoHoldsLittleOfTheStoreOnceAllIsCounted) {
  SenderShares shares{kKey};
  shares.begin_census(2);
  const auto bob = shares.sender("bob"), eve = shares.sender("eve");
  shares.added(7, 3, eve, 50'000);
  EXPECT_FALSE(shares.protects(bob));
  shares.removed(8, 2, eve, 1'000);  // not counted yet, and gone before it was
  shares.count(1, bob, 1'000);
  EXPECT_FALSE(shares.is_complete());
  shares.end_census();
  EXPECT_TRUE(shares.is_complete());
  EXPECT_TRUE(shares.protects(bob));
  EXPECT_FALSE(shares.protects(eve));
  shares.removed(7, 3, eve, 50'000);
  EXPECT_FALSE(shares.protects(bob)) << "there is nobody else";
}

TEST(SenderShares, KnowsTheInboxesThatWereUsedLast) {
  SenderShares shares{kKey};
  for (std::int64_t id = 0; id <= static_cast<std::int64_t>(limits::kTalliedInboxes); ++id) {
    SenderShares::Inbox inbox;
    inbox.add(1, {.count = 1, .bytes = 1});
    (void)shares.know(id, std::move(inbox));
    EXPECT_NE(shares.inbox(0), nullptr) << "used all the time";
  }
  EXPECT_EQ(shares.inbox(1), nullptr);
  shares.undo(0);
  EXPECT_EQ(shares.inbox(0), nullptr) << "nobody knows what it holds now";
}

/// SQLite gives the `seq` of the last row again when that has gone.
TEST(SenderShares, CountsARowOnceWhoseNumberTheCensusHasYetToComeTo) {
  SenderShares shares{kKey};
  shares.begin_census(2);
  const auto bob = shares.sender("bob"), eve = shares.sender("eve");
  shares.removed(8, 2, eve, 1'000);
  for (int i = 0; i < 50; ++i) {
    shares.added(8, 2, bob, 1'000);
    shares.removed(8, 2, bob, 1'000);
  }
  shares.added(8, 2, bob, 1'000);
  shares.count(1, eve, 10'000);
  shares.count(2, bob, 1'000);
  shares.end_census();
  EXPECT_TRUE(shares.protects(bob)) << "one of theirs is there";
  EXPECT_FALSE(shares.protects(eve));
}

TEST(SenderShares, ProtectsAsBeforeWhenATransactionIsTakenBack) {
  SenderShares shares{kKey};
  shares.begin_census(3);
  const auto bob = shares.sender("bob"), eve = shares.sender("eve"), carl = shares.sender("carl");
  shares.count(1, bob, 1'000);
  shares.committed();
  shares.count(2, eve, 20'000);
  shares.end_census();
  EXPECT_TRUE(shares.is_complete());
  shares.undo(0);
  EXPECT_FALSE(shares.is_complete());
  EXPECT_EQ(shares.counted_to(), 1) << "what it had counted may be another row now";
  shares.count(2, eve, 20'000);
  shares.end_census();
  shares.committed();
  ASSERT_TRUE(shares.protects(bob));

  shares.added(7, 4, bob, 50'000);
  const std::size_t changes = shares.changes();
  shares.removed(7, 2, eve, 30'000);
  shares.added(7, 5, carl, 1'000);
  shares.undo(changes);
  EXPECT_FALSE(shares.protects(bob));
  EXPECT_TRUE(shares.is_complete());
  shares.undo(0);
  EXPECT_TRUE(shares.protects(bob));
  EXPECT_FALSE(shares.protects(eve));
}

}  // namespace
}  // namespace sluice::hub::store
