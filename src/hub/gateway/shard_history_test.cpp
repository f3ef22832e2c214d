#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/testing/world.hpp"

/// What clients hear whose positions are not of this hub's history, and that nothing that is there is passed
/// over.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using testing::Disk;
using ::testing::ElementsAre;
using testing::group;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Gap;
using wire::hub::Hello;
using wire::hub::Position;
using wire::hub::Reason;

class ShardHistory : public ::testing::Test {
 protected:
  World::Client connect(const std::string& name, Hello hello = {}) {
    World::Client client = world.connect(name, 0, std::move(hello));
    settle(client);
    return client;
  }
  void settle(World::Client& client) {
    world.settle_for(20ms);  // a tick, for what is handed out together
    world.read(client);
  }
  World::Client joined(const std::string& name, Position from) {
    World::Client client = connect(name);
    world.say(client, wire::hub::Join{.group = "ops", .from = from});
    settle(client);
    return client;
  }
  void publish(int count, const std::string& text = "m", const wire::hub::Publish& with = {}) {
    World::Client ann = connect("ann");
    for (int i = 0; i < count; ++i) {
      wire::hub::Publish more = with;
      more.id = text + std::to_string(++published_);
      world.publish(ann, group("ops"), more.id, more);
    }
    settle(ann);
    world.hang_up(ann);
    world.settle();
  }
  void restart(std::vector<Disk> disks) {
    world.restart({.epoch = ++last_epoch_, .disks = std::move(disks)});
  }
  /// Deliveries as their texts, gaps as `REASON EPOCH:FIRST-LAST`, in the order in which they came.
  static std::vector<std::string> heard(const World::Client& client) {
    std::vector<std::string> all;
    for (const auto& message : client.heard) {
      if (const auto* const delivery = std::get_if<wire::hub::Delivery>(&message)) {
        all.push_back(delivery->content.bytes);
      } else if (const auto* const gap = std::get_if<Gap>(&message)) {
        all.push_back(
            fmt::format("{} {}:{}-{}", wire::hub::name_of(gap->reason), gap->epoch, gap->first, gap->last));
      }
    }
    return all;
  }

  World world;

 private:
  int published_ = 0;
  std::uint64_t last_epoch_ = World::kEpoch;
};

TEST_F(ShardHistory, TellsAJoinBehindTheHeadAndBringsTheRest) {
  publish(3);
  auto bob = joined("bob", {.epoch = World::kEpoch, .offset = 1'000});
  publish(1);
  settle(bob);
  EXPECT_THAT(heard(bob), ElementsAre("history_changed 3:4-1000", "m4"));
  const Gap gap = bob.all<Gap>().at(0);
  EXPECT_EQ(gap.from, (Position{.epoch = World::kEpoch, .offset = 3}));
  EXPECT_EQ(gap.count, 0U) << "nothing is known to be missing";
  EXPECT_TRUE(gap.gone);
}

TEST_F(ShardHistory, TellsAJoinOfAnEpochThatItNeverHadAndBringsAllThatMayBeNew) {
  publish(3);
  auto bob = joined("bob", {.epoch = 99, .offset = 1});
  EXPECT_THAT(heard(bob), ElementsAre("history_changed 99:1-1", "m2", "m3"));
  EXPECT_EQ(bob.all<Gap>().at(0).from, (Position{.epoch = World::kEpoch, .offset = 1}));
}

TEST_F(ShardHistory, TellsTheSameWhenASessionIsResumed) {
  publish(3);
  auto ann = connect("ann");
  world.publish(ann, user("bob"), "to bob");
  settle(ann);
  auto bob = connect(
      "bob", {.resume = wire::hub::Resume{.session_token = "bob/s1",
                                          .positions = {{.conversation = group("ops"), .position = {2, 2}},
                                                        {.conversation = user("bob"), .position = {7, 9}}}}});
  EXPECT_THAT(heard(bob), ::testing::UnorderedElementsAre("history_changed 2:1-2", "m1", "m2", "m3",
                                                          "history_changed 7:2-9"));
}

TEST_F(ShardHistory, AfterARestartGoesOnFromAPositionThatWasStored) {
  publish(3);
  restart(world.disks());
  publish(2);
  EXPECT_THAT(heard(joined("bob", {.epoch = World::kEpoch, .offset = 2})), ElementsAre("m3", "m4", "m5"));
  EXPECT_THAT(heard(joined("carl", {.epoch = World::kEpoch + 1, .offset = 4})), ElementsAre("m5"));
  EXPECT_THAT(heard(joined("dora", {.epoch = World::kEpoch + 1, .offset = 3})), ElementsAre("m4", "m5"));
}

TEST_F(ShardHistory, TellsWhoeverHasSeenWhatAKillLostThatItIsNotInTheHistory) {
  publish(3);
  world.commits = false;
  auto ann = connect("ann");
  auto bob = joined("bob", {.epoch = World::kEpoch, .offset = 3});
  world.publish(ann, group("ops"), "lost");
  settle(bob);
  EXPECT_EQ(bob.texts(), std::vector<std::string>{"lost"});
  restart(world.disks());
  world.commits = true;
  publish(2, "new");
  auto again = joined("bob", {.epoch = World::kEpoch, .offset = 4});
  EXPECT_THAT(heard(again), ElementsAre("history_changed 3:4-4", "new4", "new5"));
  EXPECT_EQ(again.all<Gap>().at(0).from, (Position{.epoch = World::kEpoch, .offset = 3}));
}

TEST_F(ShardHistory, TellsWhoeverIsAheadOfARestoredBackup) {
  publish(3);
  const std::vector<Disk> backup = world.disks();
  publish(4);
  restart(backup);
  publish(6, "new");
  EXPECT_THAT(heard(joined("bob", {.epoch = World::kEpoch, .offset = 7})),
              ElementsAre("history_changed 3:4-7", "new8", "new9", "new10", "new11", "new12", "new13"));
  EXPECT_THAT(heard(joined("carl", {.epoch = World::kEpoch, .offset = 3})),
              ElementsAre("new8", "new9", "new10", "new11", "new12", "new13"));
}

TEST_F(ShardHistory, TellsWhoeverHasSeenRunsThatARestoredBackupHasNot) {
  publish(3);
  const std::vector<Disk> backup = world.disks();
  restart(world.disks());
  publish(4);
  restart(backup);
  publish(2, "new");
  EXPECT_THAT(heard(joined("bob", {.epoch = World::kEpoch + 1, .offset = 7})),
              ElementsAre("history_changed 4:4-7", "new8", "new9"));
}

TEST_F(ShardHistory, BeginsAnewForEveryoneAfterALostStore) {
  publish(3);
  restart({Disk{}});
  publish(2, "new");
  EXPECT_THAT(heard(joined("bob", {.epoch = World::kEpoch, .offset = 3})),
              ElementsAre("history_changed 3:1-3", "new4", "new5"));
}

TEST_F(ShardHistory, TellsThatWhatIsNotStoredHasNoHistoryBeforeThisRun) {
  GatewaySettings settings;
  settings.routes.push_back({.match = "group:*", .stored = false});
  world.shard().set_settings(settings, world.now);
  publish(3);
  restart(world.disks());
  world.shard().set_settings(settings, world.now);
  EXPECT_THAT(heard(joined("bob", {.epoch = World::kEpoch, .offset = 3})),
              ElementsAre("history_changed 3:1-3"));
}

TEST_F(ShardHistory, ARestoredMarkSwallowsNoNewMessageOfAnInbox) {
  auto ann = connect("ann");
  for (const char* const text : {"1", "2"}) world.publish(ann, user("bob"), text);
  settle(ann);
  // Acknowledged by a client that had seen more than was stored.
  world.log().acknowledge(user("bob"), "", {.epoch = World::kEpoch, .offset = 9});
  restart(world.disks());
  auto dora = connect("dora");
  world.publish(dora, user("bob"), "new");
  settle(dora);
  EXPECT_THAT(heard(connect("bob")), ElementsAre("new"))
      << "they have named no position, and need not hear of one";
}

// --- pulls

class ShardPull : public ShardHistory {
 protected:
  /// What comes of it.
  std::vector<std::string> pulled(wire::hub::Pull pull) {
    auto bob = connect("bob");
    world.say(bob, wire::hub::Join{.group = "ops"});
    pull.conversation = group("ops");
    world.say(bob, std::move(pull));
    settle(bob);
    EXPECT_THAT(bob.all<wire::hub::Pulled>(), SizeIs(1));
    for (const Gap& gap : bob.all<Gap>()) {
      EXPECT_FALSE(gap.from) << "a pull moves nothing";
      EXPECT_EQ(gap.count, gap.last - gap.first + 1);
    }
    auto all = heard(bob);
    world.hang_up(bob);
    world.settle();
    return all;
  }
};

TEST_F(ShardPull, SaysWhichOffsetsAreOfAnotherHistory) {
  publish(3);
  EXPECT_THAT(pulled({.epoch = World::kEpoch, .first = 1'000, .last = 1'009}),
              ElementsAre("history_changed 3:1000-1009"));
  EXPECT_THAT(pulled({.epoch = 99, .first = 1, .last = 3}), ElementsAre("history_changed 99:1-3"));
  EXPECT_THAT(pulled({.epoch = 99, .first = 2}), ElementsAre("history_changed 99:2-2"));
}

TEST_F(ShardPull, BringsWhatThereIsUpToTheHead) {
  publish(3);
  EXPECT_THAT(pulled({.epoch = World::kEpoch, .first = 2, .last = 100}), ElementsAre("m2", "m3"));
  EXPECT_THAT(pulled({.epoch = World::kEpoch, .first = 2}), ElementsAre("m2", "m3"));
  EXPECT_THAT(pulled({.epoch = World::kEpoch, .first = 4}), IsEmpty()) << "there is nothing yet";
  EXPECT_THAT(pulled({.first = 2}), ElementsAre("m2", "m3")) << "without an epoch: of what there is";
}

TEST_F(ShardPull, BringsARangeThatBeginsInAnEarlierEpoch) {
  publish(3);
  restart(world.disks());
  publish(3);
  EXPECT_THAT(pulled({.epoch = World::kEpoch + 1, .first = 2, .last = 5}),
              ElementsAre("m2", "m3", "m4", "m5"))
      << "a gap names the epoch of its last alone";
}

TEST_F(ShardPull, GivesNoOtherMessagesForOffsetsThatAKillLost) {
  publish(3);
  restart(world.disks());
  publish(3);
  EXPECT_THAT(pulled({.epoch = World::kEpoch, .first = 2, .last = 5}),
              ElementsAre("m2", "m3", "history_changed 3:4-5"));
}

// --- what has expired

TEST_F(ShardHistory, TellsAtOnceWhatHasExpiredAndIsStillInTheLog) {
  publish(2);
  publish(3, "short", {.ttl_ms = 150});
  publish(1);
  publish(2, "short", {.ttl_ms = 150});
  world.pass(200ms);
  auto bob = joined("bob", {.epoch = World::kEpoch, .offset = 1});
  EXPECT_THAT(heard(bob), ElementsAre("m2", "expired 3:3-5", "m6", "expired 3:7-8"));
}

TEST_F(ShardHistory, TellsAtOnceWhatHasExpiredAtTheEndOfAPage) {
  const int pages = 3;
  publish(1);
  publish(pages * static_cast<int>(limits::kPageMessages), "short", {.ttl_ms = 150});
  publish(1, "last");
  world.pass(200ms);
  auto bob = joined("bob", {.epoch = World::kEpoch, .offset = 1});
  std::uint64_t behind = 1;
  for (const Gap& gap : bob.all<Gap>()) {
    EXPECT_EQ(gap.reason, Reason::expired);
    EXPECT_EQ(gap.first, behind + 1);
    behind = gap.last;
  }
  EXPECT_EQ(behind, 1 + pages * limits::kPageMessages);
  EXPECT_THAT(bob.texts(), SizeIs(1));
}

}  // namespace
}  // namespace sluice::hub
