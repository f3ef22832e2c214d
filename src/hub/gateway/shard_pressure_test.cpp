#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// What is given up when memory is short, and what one user may take of the hub, on however many connections.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using testing::group;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Gap;
using wire::hub::Reason;
using wire::hub::Receipt;

class ShardPressure : public ::testing::Test {
 protected:
  static constexpr std::size_t kShards = 2;

  ShardPressure() {
    settings_.tick = {};
    settings_.memory = 100'000_B;
    settings_.routes = {{.match = "group:calls", .urgency = flow::Urgency::critical}};
  }
  ~ShardPressure() override { EXPECT_TRUE(world().books_balance()); }
  ShardPressure(const ShardPressure&) = delete;
  ShardPressure& operator=(const ShardPressure&) = delete;

  /// Made with the settings that the test has chosen until then.
  World& world() {
    if (!world_) world_.emplace(kShards, settings_);
    return *world_;
  }
  World::Client connect(const std::string& name, std::size_t shard = 0) {
    World::Client client = world().connect(name, shard);
    hear(client);
    return client;
  }
  /// Takes nothing from now on.
  World::Client connect_stalled(const std::string& name, std::size_t shard = 0) {
    World::Client client = connect(name, shard);
    world().say(client, wire::hub::Join{.group = "calls"});
    hear(client);
    world().give_room(client, 0);
    return client;
  }
  void hear(World::Client& client) {
    world().settle();
    world().read(client);
  }
  void wake(World::Client& client) {
    world().give_room(client, SIZE_MAX);
    hear(client);
  }
  void publish(World::Client& client, const wire::hub::Conversation& to, int count, std::size_t size = 950) {
    for (int i = 0; i < count; ++i)
      world().publish(client, to, std::string(size, 'x'), {.id = std::to_string(++last_id_)});
    world().settle();
  }
  /// The reasons of what was refused since the last time.
  std::vector<Reason> refused(World::Client& client) {
    hear(client);
    std::vector<Reason> reasons;
    for (const Receipt& receipt : client.all<Receipt>()) reasons.push_back(receipt.reason);
    client.heard.clear();
    return reasons;
  }
  void sweep() {
    world().pass(limits::kSweep);
    world().settle();
  }
  [[nodiscard]] Bytes waiting(const World::Client& client) {
    return world().shard(client.ref.shard).find(client.ref)->receiver->waiting();
  }
  [[nodiscard]] Bytes held() { return world().ledger.process->stats().held; }

  GatewaySettings settings_;

 private:
  std::uint64_t last_id_ = 0;
  std::optional<World> world_;
};

TEST_F(ShardPressure, ShedsTheLargestBacklogsUntilThereIsRoom) {
  auto ann = connect("ann"), small = connect_stalled("small"), large = connect_stalled("large"),
       middle = connect_stalled("middle");
  publish(ann, user("small"), 10);
  publish(ann, user("large"), 30);
  publish(ann, user("middle"), 20);
  const Bytes of_large = waiting(large), of_middle = waiting(middle), of_small = waiting(small);
  const flow::Charge others{world().ledger.process, 45'000_B};
  sweep();
  EXPECT_EQ(waiting(large), Bytes{});
  EXPECT_EQ(waiting(middle), of_middle);
  EXPECT_EQ(waiting(small), of_small);
  EXPECT_EQ(world().shard().counts().shed, of_large);
  EXPECT_LT(held(), 100'000_B);
  const flow::Charge more{world().ledger.process, 50'000_B};
  sweep();
  EXPECT_EQ(waiting(middle), Bytes{}) << "it goes on until there is room";
  EXPECT_EQ(waiting(small), Bytes{});
  wake(large);
  ASSERT_THAT(large.all<Gap>(), SizeIs(1));
  EXPECT_EQ(large.all<Gap>()[0].reason, Reason::shed);
  EXPECT_EQ(large.all<Gap>()[0].count, 30U);
  EXPECT_THAT(world().ends(), IsEmpty());
}

TEST_F(ShardPressure, RefusesPublishesUntilThereIsRoom) {
  auto ann = connect("ann"), bob = connect_stalled("bob");
  publish(ann, user("bob"), 30);
  EXPECT_THAT(refused(ann), IsEmpty());
  const flow::Charge others{world().ledger.process, 75'000_B};
  publish(ann, user("eve"), 1);
  hear(ann);
  EXPECT_GE(ann.all<Receipt>().at(0).retry_after_ms, in_ms(limits::kRetryAfterFull));
  EXPECT_THAT(refused(ann), ElementsAre(Reason::overloaded));
  sweep();
  publish(ann, user("eve"), 1);
  EXPECT_THAT(refused(ann), IsEmpty()) << "what waited for Bob was shed";
}

TEST_F(ShardPressure, NeverShedsWhatIsCritical) {
  auto ann = connect("ann"), bob = connect_stalled("bob");
  publish(ann, group("calls"), 40);
  publish(ann, user("bob"), 20);
  const Bytes before = waiting(bob);
  const flow::Charge others{world().ledger.process, 65'000_B};
  sweep();
  EXPECT_LT(waiting(bob), before);
  EXPECT_GT(waiting(bob), 39'000_B);
  publish(ann, user("eve"), 1);
  EXPECT_THAT(refused(ann), ElementsAre(Reason::overloaded)) << "there is nothing more to give up";
  wake(bob);
  EXPECT_THAT(bob.texts(), SizeIs(40));
  ASSERT_THAT(bob.all<Gap>(), SizeIs(1));
  EXPECT_EQ(bob.all<Gap>()[0].conversation, user("bob"));
  EXPECT_EQ(bob.all<Gap>()[0].count, 20U);
  publish(ann, user("eve"), 1);
  EXPECT_THAT(refused(ann), IsEmpty());
}

TEST_F(ShardPressure, WithoutALimitOfMemoryNothingIsShedOrRefused) {
  settings_.memory_enabled = false;
  settings_.user_memory = 1'000_B;
  auto ann = connect("ann"), bob = connect_stalled("bob");
  const flow::Charge others{world().ledger.process, 200'000_B};
  publish(ann, user("bob"), 20);
  sweep();
  EXPECT_THAT(refused(ann), IsEmpty());
  EXPECT_GT(waiting(bob), 19'000_B);
}

TEST_F(ShardPressure, AUserHasOneMemoryForAllConnections) {
  settings_.user_memory = 30'000_B;
  auto ann = connect("ann"), bob = connect_stalled("bob"), eve = connect_stalled("eve");
  publish(ann, user("bob"), 20);
  publish(ann, user("eve"), 20);
  sweep();
  EXPECT_GT(waiting(bob), 19'000_B) << "one connection is under it";
  auto bob_too = connect_stalled("bob", 1);
  publish(ann, user("bob"), 11);  // both have them: 30,000 and 11,000
  sweep();
  sweep();
  EXPECT_LT(waiting(bob) + waiting(bob_too), 30'000_B);
  EXPECT_GT(waiting(bob) + waiting(bob_too), Bytes{}) << "no more than had to";
  EXPECT_GT(waiting(eve), 19'000_B);
  publish(ann, user("bob"), 1);
  EXPECT_THAT(refused(ann), IsEmpty()) << "the hub has room";
}

TEST_F(ShardPressure, AUserHasOneRateForAllConnections) {
  settings_.per_connection.messages = {.burst = 8, .tokens = 8};
  settings_.per_user.messages = {.burst = 10, .tokens = 10};
  auto ann = connect("ann"), ann_too = connect("ann", 1), bob = connect("bob");
  publish(ann, user("eve"), 9);
  EXPECT_THAT(refused(ann), ElementsAre(Reason::rate_limited)) << "the connection's own";
  publish(ann_too, user("eve"), 3);
  hear(ann_too);
  EXPECT_NEAR(ann_too.all<Receipt>().at(0).retry_after_ms, 100, 1);
  EXPECT_THAT(refused(ann_too), ElementsAre(Reason::rate_limited)) << "two were left of the user's";
  publish(bob, user("eve"), 8);
  EXPECT_THAT(refused(bob), IsEmpty());
  world().pass(100ms);
  publish(ann_too, user("eve"), 2);
  EXPECT_THAT(refused(ann_too), SizeIs(1));
}

TEST_F(ShardPressure, AUserHasOneRateOfBytesForAllConnections) {
  settings_.per_user.bytes = {.burst = 1'000, .tokens = 1'000};
  auto ann = connect("ann"), ann_too = connect("ann", 1);
  publish(ann, user("eve"), 6);  // each counts for 100
  publish(ann_too, user("eve"), 6);
  EXPECT_THAT(refused(ann), IsEmpty());
  EXPECT_THAT(refused(ann_too), ElementsAre(Reason::rate_limited, Reason::rate_limited));
}

TEST_F(ShardPressure, WhatWasRefusedCostsNothing) {
  settings_.per_connection.messages = {.burst = 100, .tokens = 100};
  settings_.per_user.messages = {.burst = 10, .tokens = 10};
  auto ann = connect("ann");
  publish(ann, user("eve"), 50);
  EXPECT_THAT(refused(ann), SizeIs(40));
  world().pass(1s);
  publish(ann, user("eve"), 10);
  EXPECT_THAT(refused(ann), IsEmpty()) << "a second's worth is there again";
}

}  // namespace
}  // namespace sluice::hub
