#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hub/gateway/dedup.hpp"
#include "hub/gateway/testing/world.hpp"

/// What a shard makes of what was before it: messages of earlier runs, a log that is damaged, a wall clock
/// that somebody sets.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using testing::group;
using testing::user;
using testing::World;
using wire::hub::Delivery;
using wire::hub::Gap;
using wire::hub::Level;
using wire::hub::Position;
using wire::hub::Reason;
using wire::hub::Receipt;

Delivery stored(const wire::hub::Conversation& to, std::uint64_t offset, std::string id = {}) {
  if (id.empty()) id = "m" + std::to_string(offset);
  return {.from = "ann",
          .to = to,
          .id = std::move(id),
          .position = {.epoch = 2, .offset = offset},
          .sent_at = 1'600'000'000'000,
          .content = {.bytes = "text " + std::to_string(offset)}};
}

RememberedMessage remembered(const Delivery& delivery, Duration age) {
  const Dedup dedup{crypto::ShortHashKey{}};
  return {.print = dedup.print_of({.to = delivery.to, .from = delivery.from, .id = delivery.id}),
          .position = delivery.position,
          .age = age};
}

TEST(ShardRestart, KnowsSecondCopiesOfWhatEarlierRunsHaveStored) {
  World world;
  const Delivery first = stored(group("ops"), 1, "once");
  world.log().keep(first);
  world.shard().begin({remembered(first, 2min)}, world.now.at);
  auto ann = world.connect("ann");
  auto bob = world.connect("bob");
  world.settle();
  world.say(bob, wire::hub::Join{.group = "ops"});
  world.settle();
  world.publish(ann, group("ops"), "again", {.id = "once", .level = Level::stored});
  world.settle();
  world.read(ann);
  world.read(bob);
  ASSERT_EQ(ann.all<Receipt>().size(), 1U);
  EXPECT_TRUE(ann.all<Receipt>()[0].duplicate);
  EXPECT_EQ(ann.all<Receipt>()[0].position, first.position);
  EXPECT_TRUE(bob.texts().empty());
  // Only for what was left of its time.
  world.pass(3min);
  world.publish(ann, group("ops"), "again", {.id = "once", .level = Level::stored});
  world.settle();
  world.read(bob);
  EXPECT_EQ(bob.texts(), (std::vector<std::string>{"again"}));
}

TEST(ShardRestart, TellsASecondCopyOfTheDeliveryOfTheFirst) {
  World world;
  const Delivery first = stored(user("bob"), 1, "once");
  world.log().keep(first);
  world.shard().begin({remembered(first, 0s)}, world.now.at);
  auto ann = world.connect("ann");
  world.settle();
  for (int i = 0; i < 3; ++i) {
    world.publish(ann, user("bob"), "again", {.id = "once", .level = Level::delivered});
    world.settle();
  }
  world.read(ann);
  ASSERT_EQ(ann.all<Receipt>().size(), 3U) << "each has its answer at once";
  EXPECT_EQ(ann.all<Receipt>()[2].level, Level::stored);
  auto bob = world.connect("bob", 0, {.acknowledges = true});
  world.settle();
  world.read(bob);
  ASSERT_EQ(bob.texts().size(), 1U);
  world.ack(bob);
  world.settle();
  world.read(ann);
  ASSERT_EQ(ann.all<Receipt>().size(), 4U) << "one for the connection, however often it has asked";
  const Receipt told = ann.all<Receipt>()[3];
  EXPECT_EQ(told.level, Level::delivered);
  EXPECT_TRUE(told.duplicate);
  EXPECT_EQ(told.position, first.position);
  EXPECT_EQ(told.seq, 3U);
}

TEST(ShardRestart, LetsGoOfTheHomeOfAMessageThatNobodyWaitsForAnyMore) {
  World world;
  const Delivery first = stored(user("bob"), 1, "once");
  world.log().keep(first);
  world.shard().begin({remembered(first, 0s)}, world.now.at);
  auto ann = world.connect("ann");
  world.settle();
  const std::size_t before = world.shard().conversations();
  world.publish(ann, user("bob"), "again", {.id = "once", .level = Level::delivered});
  world.settle();
  EXPECT_EQ(world.shard().conversations(), before + 1);
  world.hang_up(ann);
  world.settle();
  EXPECT_LT(world.shard().conversations(), before + 1);
}

TEST(ShardDamage, IsToldAsGoneAndTheRestComes) {
  World world;
  for (std::uint64_t offset = 1; offset <= 6; ++offset) world.log().keep(stored(group("ops"), offset));
  world.log().damaged = {{.epoch = 2, .offset = 3}, {.epoch = 2, .offset = 4}, {.epoch = 2, .offset = 6}};
  auto bob = world.connect("bob");
  world.settle();
  world.say(bob, wire::hub::Join{.group = "ops", .from = Position{}});
  world.settle();
  world.read(bob);
  EXPECT_EQ(bob.texts(), (std::vector<std::string>{"text 1", "text 2", "text 5"}));
  const auto gaps = bob.all<Gap>();
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0].reason, Reason::damaged);
  EXPECT_TRUE(gaps[0].gone);
  EXPECT_EQ(gaps[0].first, 3U);
  EXPECT_EQ(gaps[0].last, 4U);
  EXPECT_EQ(gaps[1].first, 6U);
  EXPECT_EQ(gaps[1].count, 1U);
  auto ann = world.connect("ann");
  world.settle();
  world.publish(ann, group("ops"), "new");
  world.settle();
  world.read(bob);
  EXPECT_EQ(bob.texts().back(), "new");
}

TEST(ShardDamage, IsPassedOverWhereWholePagesAreDamaged) {
  World world;
  for (std::uint64_t offset = 1; offset <= 700; ++offset) {
    const Delivery delivery = stored(group("ops"), offset);
    if (offset < 600) world.log().damaged.insert(delivery.position);
    world.log().keep(delivery);
  }
  auto bob = world.connect("bob");
  world.settle();
  world.say(bob, wire::hub::Join{.group = "ops", .from = Position{}});
  world.settle();
  world.read(bob);
  EXPECT_EQ(bob.texts().size(), 101U);
  std::uint64_t told = 0;
  for (const Gap& gap : bob.all<Gap>()) {
    EXPECT_EQ(gap.reason, Reason::damaged);
    EXPECT_EQ(gap.first, told + 1);
    told = gap.last;
  }
  EXPECT_EQ(told, 599U);
}

TEST(ShardDamage, OfAPageOfTheFileEndsNoConnection) {
  World world;
  for (std::uint64_t offset = 1; offset <= 6; ++offset) world.log().keep(stored(user("bob"), offset));
  world.log().torn = true;
  auto bob = world.connect("bob");
  world.settle();
  world.read(bob);
  ASSERT_EQ(bob.all<Gap>().size(), 1U);
  EXPECT_EQ(bob.all<Gap>()[0].reason, Reason::damaged);
  EXPECT_EQ(bob.all<Gap>()[0].last, 6U);
  auto ann = world.connect("ann");
  world.settle();
  world.publish(ann, user("bob"), "new");
  world.settle();
  world.read(bob);
  EXPECT_EQ(bob.texts(), (std::vector<std::string>{"new"}));
  EXPECT_TRUE(world.ends().empty());
}

TEST(ShardClock, WallClockThatIsSetEndsNoSessionAndMakesNoneLonger) {
  World world;
  world.expiry["ann"] = world.now.wall + 3'600'000;
  auto ann = world.connect("ann");
  world.settle();
  for (const wire::hub::UnixMs off : {8LL * 24 * 3'600'000, -16LL * 24 * 3'600'000}) {
    world.now.wall += off;
    world.settle_for(2500ms);
    world.publish(ann, user("bob"), "x");
    world.settle();
    EXPECT_TRUE(world.ends().empty());
  }
  world.read(ann);
  EXPECT_TRUE(ann.all<Receipt>().empty()) << "nothing is refused";
  world.pass(1h);
  world.publish(ann, user("bob"), "x");
  world.settle();
  world.read(ann);
  ASSERT_EQ(ann.all<Receipt>().size(), 1U);
  EXPECT_EQ(ann.all<Receipt>()[0].reason, Reason::token_expired)
      << "an hour is over, whatever the wall clock says";
  world.pass(limits::kCloseExpiredAfter);
  world.settle();
  ASSERT_EQ(world.ends().size(), 1U);
  EXPECT_EQ(world.ends()[0].second, Reason::token_expired);
}

}  // namespace
}  // namespace sluice::hub
