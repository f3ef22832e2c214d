#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// What an operator changes while clients are connected.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using ::testing::ElementsAre;
using testing::group;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Delivery;
using wire::hub::Gap;
using wire::hub::Level;
using wire::hub::Reason;
using wire::hub::Receipt;

class ShardSettings : public ::testing::Test {
 protected:
  ShardSettings() { settings_.tick = {}; }
  ~ShardSettings() override { EXPECT_TRUE(world().books_balance()); }
  ShardSettings(const ShardSettings&) = delete;
  ShardSettings& operator=(const ShardSettings&) = delete;

  /// Made with the settings that the test has chosen until then.
  World& world() {
    if (!world_) world_.emplace(1, settings_);
    return *world_;
  }
  void change() { world().shard().set_settings(settings_, world().now); }

  World::Client connect(const std::string& name, wire::hub::Hello hello = {}) {
    World::Client client = world().connect(name, 0, std::move(hello));
    hear(client);
    return client;
  }
  void join(World::Client& client, const std::string& name) {
    world().say(client, wire::hub::Join{.group = name});
    hear(client);
  }
  void hear(World::Client& client) {
    world().settle();
    world().read(client);
  }
  void publish(World::Client& client, const wire::hub::Conversation& to, int count,
               std::size_t size = 1'000) {
    for (int i = 0; i < count; ++i) world().publish(client, to, std::string(size, 'x'));
    world().settle();
  }
  [[nodiscard]] const Receiver& receiver(const World::Client& client) {
    return *world().shard().find(client.ref)->receiver;
  }

  GatewaySettings settings_;

 private:
  std::optional<World> world_;
};

TEST_F(ShardSettings, LowerMarksMakeRoomWithTheNextMessage) {
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  publish(ann, user("bob"), 20);
  EXPECT_GT(receiver(bob).waiting(), 20'000_B);
  settings_.receiver.outbox.marks = {.low = 2'000_B, .high = 4'000_B};
  change();
  EXPECT_FALSE(receiver(bob).writable());
  publish(ann, user("bob"), 1);
  EXPECT_LE(receiver(bob).waiting(), 4'000_B);
  world().give_room(bob, SIZE_MAX);
  hear(bob);
  ASSERT_THAT(bob.all<Gap>(), SizeIs(1));
  EXPECT_EQ(bob.all<Gap>()[0].count, 18U);
  EXPECT_THAT(bob.texts(), SizeIs(3));
}

TEST_F(ShardSettings, HigherMarksKeepWhatWouldHaveBeenDropped) {
  settings_.receiver.outbox.marks = {.low = 2'000_B, .high = 4'000_B};
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  publish(ann, user("bob"), 4);
  EXPECT_FALSE(bob.wire->reading) << "it takes no answers";
  settings_.receiver.outbox.marks = {.low = 20'000_B, .high = 40'000_B};
  change();
  publish(ann, user("bob"), 6);
  world().pass(limits::kSweep);
  EXPECT_TRUE(bob.wire->reading);
  world().give_room(bob, SIZE_MAX);
  hear(bob);
  EXPECT_THAT(bob.texts(), SizeIs(10));
  EXPECT_THAT(bob.all<Gap>(), IsEmpty());
}

TEST_F(ShardSettings, WhoIsNotGuardedIsNeitherDroppedNorCut) {
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  settings_.receiver.enabled = false;
  change();
  publish(ann, user("bob"), 100);  // past the high mark
  world().settle_for(3s);
  EXPECT_THAT(world().ends(), IsEmpty());
  EXPECT_GT(receiver(bob).waiting(), 100'000_B);
  settings_.receiver.enabled = true;
  change();
  world().settle_for(100ms);
  EXPECT_THAT(world().ends(), ElementsAre(Pair("bob", Reason::slow_consumer)));
}

TEST_F(ShardSettings, WhoIsNotGuardedIsCutAtTheHardLimitAllTheSame) {
  settings_.receiver.enabled = false;
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  settings_.receiver.outbox.hard = 50'000_B;
  change();
  publish(ann, user("bob"), 40);
  EXPECT_THAT(world().ends(), IsEmpty());
  publish(ann, user("bob"), 20);
  EXPECT_THAT(world().ends(), ElementsAre(Pair("bob", Reason::slow_consumer)));
}

TEST_F(ShardSettings, ADryRunOnlyCounts) {
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  settings_.receiver.dry_run = true;
  settings_.receiver.outbox.marks = {.low = 2'000_B, .high = 4'000_B};
  change();
  publish(ann, user("bob"), 10);
  world().settle_for(3s);
  EXPECT_THAT(world().ends(), IsEmpty());
  EXPECT_EQ(receiver(bob).stats().would_drop, 6U);
  EXPECT_EQ(receiver(bob).stats().would_cut, 1U);
  world().give_room(bob, SIZE_MAX);
  hear(bob);
  EXPECT_THAT(bob.texts(), SizeIs(10));
}

TEST_F(ShardSettings, AWindowThatIsOpenedLetsGoWhatWaits) {
  settings_.receiver.window = 2'000_B;
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  EXPECT_EQ(bob.all<wire::hub::Welcome>().at(0).limits.window, 2'000_B);
  publish(ann, user("bob"), 10);
  hear(bob);
  EXPECT_THAT(bob.texts(), SizeIs(2));
  settings_.receiver.window = 5'000_B;
  change();
  hear(bob);
  EXPECT_THAT(bob.texts(), SizeIs(5));
  settings_.receiver.window_enabled = false;
  change();
  hear(bob);
  EXPECT_THAT(bob.texts(), SizeIs(10));
}

TEST_F(ShardSettings, AShorterPatienceIsForThoseWhoWaitAlready) {
  auto ann = connect("ann"), bob = connect("bob");
  world().give_room(bob, 0);
  publish(ann, user("bob"), 1);
  world().settle_for(1s);
  EXPECT_THAT(world().ends(), IsEmpty());
  settings_.receiver.close_unwritable_after = 1s;
  change();
  world().settle_for(60ms);
  EXPECT_THAT(world().ends(), ElementsAre(Pair("bob", Reason::slow_consumer)));
}

TEST_F(ShardSettings, RatesAreThoseOfTheMoment) {
  settings_.per_connection.messages = {.burst = 3, .tokens = 1};
  auto ann = connect("ann");
  publish(ann, user("bob"), 4, 1);
  hear(ann);
  ASSERT_THAT(ann.all<Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<Receipt>()[0].reason, Reason::rate_limited);
  EXPECT_NEAR(ann.all<Receipt>()[0].retry_after_ms, 1'000, 1);
  settings_.per_connection.messages = {.burst = 10, .tokens = 10};
  change();
  publish(ann, user("bob"), 11, 1);
  hear(ann);
  ASSERT_THAT(ann.all<Receipt>(), SizeIs(1 + 4)) << "seven of them at once: three are owed";
  EXPECT_NEAR(ann.all<Receipt>()[1].retry_after_ms, 100, 1);
  settings_.rates_enabled = false;
  change();
  publish(ann, user("bob"), 100, 1);
  hear(ann);
  EXPECT_THAT(ann.all<Receipt>(), SizeIs(1 + 4));
}

TEST_F(ShardSettings, ARateIsNotHadAnewByAChangeOfSomethingElse) {
  settings_.per_connection.messages.tokens = 1;
  for (const bool by_messages : {true, false}) {
    settings_.per_connection.messages.burst = by_messages ? 5 : 100;
    settings_.per_connection.bytes = {.burst = by_messages ? 10'000U : 500U,
                                      .tokens = 1};  // each counts for 100
    change();
    auto ann = connect(by_messages ? "ann" : "another ann");
    publish(ann, user("bob"), 5, 1);
    hear(ann);
    EXPECT_THAT(ann.all<Receipt>(), IsEmpty());
    settings_.receiver.dry_run = !settings_.receiver.dry_run;
    change();
    publish(ann, user("bob"), 1, 1);
    hear(ann);
    ASSERT_THAT(ann.all<Receipt>(), SizeIs(1));
    EXPECT_EQ(ann.all<Receipt>()[0].reason, Reason::rate_limited);
  }
}

TEST_F(ShardSettings, RatesCountBytesToo) {
  settings_.per_connection.bytes = {.burst = 1'000, .tokens = 1'000};
  auto ann = connect("ann");
  publish(ann, user("bob"), 11, 1);  // each counts for 100
  hear(ann);
  ASSERT_THAT(ann.all<Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<Receipt>()[0].reason, Reason::rate_limited);
  EXPECT_NEAR(ann.all<Receipt>()[0].retry_after_ms, 100, 1);
}

TEST_F(ShardSettings, ARouteDecidesWhatIsStoredFromNowOn) {
  auto ann = connect("ann");
  join(ann, "ops");
  world().publish(ann, group("ops"), "kept", {.level = Level::stored});
  hear(ann);
  settings_.routes = {{.match = "group:ops", .stored = false}};
  change();
  world().publish(ann, group("ops"), "refused", {.level = Level::stored});
  world().publish(ann, group("ops"), "passing");
  hear(ann);
  settings_.routes.clear();
  change();
  world().publish(ann, group("ops"), "kept too", {.level = Level::stored});
  hear(ann);
  const auto receipts = ann.all<Receipt>();
  ASSERT_THAT(receipts, SizeIs(3));
  EXPECT_EQ(receipts[0].level, Level::stored);
  EXPECT_EQ(receipts[1].reason, Reason::not_stored);
  EXPECT_EQ(receipts[2].level, Level::stored);
  EXPECT_EQ(receipts[2].position.offset, 3U);
  EXPECT_THAT(ann.texts(), ElementsAre("kept", "passing", "kept too"));
}

TEST_F(ShardSettings, ARouteThatBecomesCriticalTellsWhatWaitedAndKeepsTheOrder) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world().give_room(bob, 0);
  for (const char* const text : {"1", "2", "3"}) world().publish(ann, user("bob"), text);
  hear(bob);
  settings_.routes = {{.match = "user:bob", .urgency = flow::Urgency::critical}};
  change();
  for (const char* const text : {"4", "5"}) world().publish(ann, user("bob"), text);
  hear(bob);
  world().give_room(bob, SIZE_MAX);
  hear(bob);
  ASSERT_THAT(bob.all<Gap>(), SizeIs(1));
  EXPECT_EQ(bob.all<Gap>()[0].first, 1U);
  EXPECT_EQ(bob.all<Gap>()[0].last, 3U);
  EXPECT_THAT(bob.texts(), ElementsAre("4", "5"));
  EXPECT_TRUE(bob.all<Delivery>()[0].critical);
  EXPECT_LT(
      std::ranges::find_if(bob.heard, [](const auto& m) { return std::holds_alternative<Gap>(m); }),
      std::ranges::find_if(bob.heard, [](const auto& m) { return std::holds_alternative<Delivery>(m); }));
  settings_.routes.clear();
  change();
  world().publish(ann, user("bob"), "6");
  hear(bob);
  EXPECT_THAT(bob.texts(), ElementsAre("4", "5", "6"));
}

TEST_F(ShardSettings, ALongerTickGathersAndNoneSendsAtOnce) {
  auto ann = connect("ann");
  join(ann, "ops");
  publish(ann, group("ops"), 3, 1);
  hear(ann);
  EXPECT_THAT(ann.texts(), SizeIs(3));
  settings_.tick = 1s;
  change();
  publish(ann, group("ops"), 2, 1);
  hear(ann);
  EXPECT_THAT(ann.texts(), SizeIs(3));
  world().settle_for(900ms);
  world().read(ann);
  EXPECT_THAT(ann.texts(), SizeIs(3));
  world().settle_for(150ms);
  world().read(ann);
  EXPECT_THAT(ann.texts(), SizeIs(5));
}

TEST_F(ShardSettings, FewerConnectionsAndGroupsAreForThoseThatCome) {
  auto ann = connect("ann"), ann_too = connect("ann");
  join(ann, "a");
  join(ann, "b");
  settings_.connections_per_user = 2;
  settings_.groups_per_connection = 2;
  change();
  auto more = connect("ann");
  world().settle_for(2 * limits::kSweep);  // the others are asked whether they live
  hear(more);
  EXPECT_EQ(more.all<wire::hub::Kick>().at(0).reason, Reason::too_many_connections);
  join(ann, "c");
  EXPECT_EQ(ann.all<wire::hub::Refusal>().at(0).reason, Reason::too_many_groups);
  EXPECT_THAT(ann.all<wire::hub::Joined>(), SizeIs(2));
  EXPECT_THAT(world().ends(), SizeIs(1)) << "who is there stays";
}

TEST_F(ShardSettings, AHeartbeatIsForThoseWhomNoWelcomeHasToldAnother) {
  settings_.heartbeat = 15s;
  auto old = connect("old");
  auto attaching = world().connect("attaching");  // its Hello has been heard
  World::Client silent{.user = "silent"};
  silent.ref = world().shard().open(std::make_unique<testing::FakeSocket>(silent.wire),
                                    wire::hub::Encoding::proto, world().now);
  settings_.heartbeat = 5s;
  change();
  hear(attaching);
  world().say(silent, wire::hub::Hello{.user = "silent"});
  hear(silent);
  EXPECT_EQ(old.all<wire::hub::Welcome>().at(0).heartbeat_interval_ms, 15'000U);
  EXPECT_EQ(old.wire->ping_interval, std::nullopt) << "as it was told";
  for (const World::Client* const client : {&attaching, &silent}) {
    EXPECT_EQ(client->all<wire::hub::Welcome>().at(0).heartbeat_interval_ms, 5'000U) << client->user;
    EXPECT_EQ(client->wire->ping_interval, 5s) << client->user;
  }
}

TEST_F(ShardSettings, FewerRequestsMayWaitAndLessTimeIsLeftForAHello) {
  auto ann = connect("ann"), bob = connect("bob");
  const auto ask = [&](const std::string& id) {
    world().say(ann, wire::hub::Request{.seq = ++ann.seq, .id = id, .user = "bob"});
  };
  ask("1");
  settings_.requests_per_connection = 1;
  settings_.hello_timeout = 1s;
  change();
  ask("2");
  hear(ann);
  ASSERT_THAT(ann.all<wire::hub::Reply>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Reply>()[0].reason, Reason::too_many_requests);
  auto silent = std::make_shared<testing::Wire>();
  (void)world().shard().open(std::make_unique<testing::FakeSocket>(silent), wire::hub::Encoding::proto,
                             world().now);
  world().settle_for(1'100ms);
  EXPECT_EQ(silent->closed, 4031);
}

}  // namespace
}  // namespace sluice::hub
