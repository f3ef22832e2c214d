#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// What clients do that nobody expects, and what the hub does when it cannot do what it should.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using ::testing::ElementsAre;
using testing::FakeSocket;
using testing::group;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Level;
using wire::hub::Position;
using wire::hub::Reason;

class ShardReview : public ::testing::Test {
 protected:
  ShardReview() = default;
  ~ShardReview() override { EXPECT_TRUE(world.books_balance()); }
  ShardReview(const ShardReview&) = delete;
  ShardReview& operator=(const ShardReview&) = delete;

  World::Client connect(const std::string& name, wire::hub::Hello hello = {}) {
    World::Client client = world.connect(name, 0, std::move(hello));
    settle(client);
    return client;
  }
  /// The only one that speaks JSON.
  World::Client connect_in_json(const std::string& name) {
    World::Client client{.user = name};
    client.ref =
        world.shard().open(std::make_unique<FakeSocket>(client.wire), wire::hub::Encoding::json, world.now);
    world.say(client, wire::hub::Hello{.user = name});
    settle(client);
    return client;
  }
  void settle(World::Client& client) {
    world.settle_for(10ms);
    world.read(client);
  }
  void deliver(std::size_t letters) {
    for (std::size_t i = 0; i < letters; ++i) ASSERT_TRUE(world.deliver_one(0));
  }

  World world;
};

TEST_F(ShardReview, WhoLeavesAndComesAgainAtOnceIsNotTakenForWhoTheyWere) {
  auto bob = connect("bob");
  world.say(bob, wire::hub::Join{.group = "g"});
  settle(bob);
  auto ann = connect_in_json("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  world.say(ann, wire::hub::Leave{.group = "g"});
  world.publish(bob, group("g"), "while she is away");
  deliver(3);  // the group has left her, and has a message for those who speak as Bob does
  world.say(ann, wire::hub::Join{.group = "g"});
  deliver(2);  // the answer to her first Join, and the message
  (void)world.shard().work(world.now);
  settle(ann);
  EXPECT_THAT(ann.all<wire::hub::Joined>(), SizeIs(2));
  EXPECT_THAT(ann.texts(), IsEmpty());
  world.publish(bob, group("g"), "now");
  settle(ann);
  EXPECT_THAT(ann.texts(), ElementsAre("now"));
}

TEST_F(ShardReview, WhoJoinsTwiceIsReplayedOnce) {
  auto bob = connect("bob");
  for (int i = 0; i < 3; ++i) world.publish(bob, group("g"), "m" + std::to_string(i));
  settle(bob);
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g", .from = Position{}});
  world.say(ann, wire::hub::Leave{.group = "g"});
  world.say(ann, wire::hub::Join{.group = "g", .from = Position{}});
  settle(ann);
  EXPECT_THAT(ann.texts(), ElementsAre("m0", "m1", "m2"));
}

TEST_F(ShardReview, APullFromWhatIsLeftMeanwhileIsAnswered) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  world.say(ann, wire::hub::Join{.group = "h"});
  settle(ann);
  world.say(ann, wire::hub::Pull{.conversation = group("g"), .epoch = World::kEpoch, .first = 1});
  world.say(ann, wire::hub::Leave{.group = "g"});
  settle(ann);
  const auto refused = ann.all<wire::hub::Refusal>();
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].reason, Reason::not_member);
  EXPECT_EQ(refused[0].group, "g");
  world.say(ann, wire::hub::Pull{.conversation = group("h"), .epoch = World::kEpoch, .first = 1});
  settle(ann);
  EXPECT_THAT(ann.all<wire::hub::Pulled>(), SizeIs(1)) << "no pull is under way any more";
}

TEST_F(ShardReview, APullThatHasAllThatItAskedForSaysSo) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  for (std::size_t i = 0; i < limits::kPageMessages + 10; ++i) world.publish(ann, group("g"), "m");
  settle(ann);
  world.say(ann, wire::hub::Pull{.conversation = group("g"), .epoch = World::kEpoch, .first = 2, .last = 4});
  settle(ann);
  const auto pulled = ann.all<wire::hub::Pulled>();
  ASSERT_THAT(pulled, SizeIs(1));
  EXPECT_EQ(pulled[0].last.offset, 4U);
  EXPECT_FALSE(pulled[0].more);
}

TEST_F(ShardReview, APullOfWhatAnEarlierRunLeftDoesNotMixUpPositions) {
  for (std::uint64_t offset = 1; offset <= 10; ++offset) {
    world.log().keep({.from = "bob",
                      .to = user("ann"),
                      .id = "old" + std::to_string(offset),
                      .position = {.epoch = World::kEpoch - 1, .offset = offset}});
  }
  auto ann = connect("ann", {.acknowledges = true});
  auto bob = connect("bob");
  EXPECT_THAT(ann.texts(), SizeIs(10));
  world.say(ann,
            wire::hub::Pull{.conversation = user("ann"), .epoch = World::kEpoch - 1, .first = 3, .last = 4});
  settle(ann);
  EXPECT_THAT(ann.texts(), SizeIs(12));
  world.publish(bob, user("ann"), "new", {.level = Level::delivered});
  settle(ann);
  world.ack(ann);
  settle(bob);
  const auto receipts = bob.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].level, Level::delivered);
  EXPECT_EQ(world.log().acknowledged(user("ann"), "").value(),
            (Position{.epoch = World::kEpoch, .offset = 11}));
}

TEST_F(ShardReview, WhoResumesManyGroupsIsReplayedAtThePaceAtWhichTheyTakeIt) {
  constexpr std::size_t kGroups = 60;
  auto bob = connect("bob");
  wire::hub::Hello hello{.resume = wire::hub::Resume{.session_token = "ann/s9"}, .acknowledges = true};
  for (std::size_t i = 0; i < kGroups; ++i) {
    const std::string name = "g" + std::to_string(i);
    for (int k = 0; k < 8; ++k) world.publish(bob, group(name), std::string(5'000, 'x'));
    settle(bob);
    hello.resume->positions.push_back({.conversation = group(name), .position = {.epoch = 1, .offset = 0}});
  }
  auto ann = world.connect("ann", 0, std::move(hello));
  ann.wire->room = 0;  // takes nothing at first
  world.settle();
  const Connection* const connection = world.shard().find(ann.ref);
  ASSERT_NE(connection, nullptr);
  EXPECT_LE(connection->receiver->waiting(), limits::kOutboxHigh + 8_KiB);
  for (int i = 0; i < 200 && ann.texts().size() < 8 * kGroups; ++i) {
    world.give_room(ann, 64'000);
    settle(ann);
    world.ack(ann);
  }
  EXPECT_THAT(ann.texts(), SizeIs(8 * kGroups));
  EXPECT_THAT(world.ends(), IsEmpty());
}

TEST_F(ShardReview, WhoseLogCannotBeReadIsSentAwayAndComesAgain) {
  world.log().broken = true;
  auto ann = connect("ann");
  const auto kicks = ann.all<wire::hub::Kick>();
  ASSERT_THAT(kicks, SizeIs(1));
  EXPECT_EQ(kicks[0].reason, Reason::store_failed);
  EXPECT_GT(kicks[0].retry_after_ms, 0U);
  world.log().broken = false;
  auto again = connect("ann");
  EXPECT_THAT(again.all<wire::hub::Kick>(), IsEmpty());
}

TEST_F(ShardReview, WhoIsSentAwayTakesNothingFromAnotherConnectionOfTheirs) {
  auto ann = connect("ann"), bob = connect("bob");
  world.log().broken = true;
  auto ann_too = connect("ann");
  EXPECT_THAT(ann_too.all<wire::hub::Kick>(), SizeIs(1));
  world.log().broken = false;
  world.publish(bob, user("ann"), "hello");
  settle(ann);
  EXPECT_THAT(ann.texts(), ElementsAre("hello"));
  world.hang_up(ann);
  world.settle();
  world.hang_up(bob);
  world.settle();
  EXPECT_EQ(world.shard().conversations(), 0U);
}

TEST_F(ShardReview, AReplayThatBreaksOffEndsInsteadOfBeingTriedForEver) {
  auto bob = connect("bob");
  for (int i = 0; i < 20; ++i) world.publish(bob, group("g"), std::string(5'000, 'x'));
  settle(bob);
  auto ann = connect("ann");
  ann.wire->room = 0;
  world.say(ann, wire::hub::Join{.group = "g", .from = Position{}});
  world.settle();
  world.log().broken = true;
  world.give_room(ann, SIZE_MAX);
  settle(ann);
  const auto kicks = ann.all<wire::hub::Kick>();
  ASSERT_THAT(kicks, SizeIs(1));
  EXPECT_EQ(kicks[0].reason, Reason::store_failed);
}

TEST_F(ShardReview, WhatTheDiskLostIsANewMessageWhenItIsSentAgain) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  settle(ann);
  world.commits = false;
  world.publish(ann, group("g"), "x", {.id = "x", .level = Level::stored});
  settle(ann);
  world.log().broken = true;
  world.commits = true;
  settle(ann);
  world.log().broken = false;
  world.publish(ann, group("g"), "x", {.id = "x", .level = Level::stored});
  settle(ann);
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(2));
  EXPECT_EQ(receipts[0].reason, Reason::store_failed);
  EXPECT_EQ(receipts[1].level, Level::stored);
  EXPECT_FALSE(receipts[1].duplicate);
  EXPECT_EQ(world.log().head(group("g")).value(), receipts[1].position) << "it is where the receipt says";
}

TEST_F(ShardReview, WhatTheDiskLostIsToldToThoseWhoCatchUpAndPull) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  settle(ann);
  const auto publish = [&](const char* text, bool is_lost) {
    world.commits = false;
    world.publish(ann, group("g"), text);
    settle(ann);
    world.log().broken = is_lost;
    world.commits = true;
    settle(ann);
    world.log().broken = false;
  };
  publish("1", false);
  publish("2", true);
  publish("3", true);
  publish("4", false);
  publish("5", true);
  auto bob = connect("bob");
  world.say(bob, wire::hub::Join{.group = "g", .from = Position{.epoch = World::kEpoch}});
  settle(bob);
  const auto heard = [](const World::Client& client) {
    std::vector<std::string> texts;
    for (const auto& message : client.heard) {
      if (const auto* const delivery = std::get_if<wire::hub::Delivery>(&message)) {
        texts.push_back(delivery->content.bytes);
      } else if (const auto* const gap = std::get_if<wire::hub::Gap>(&message)) {
        EXPECT_TRUE(gap->gone);
        EXPECT_EQ(gap->count, gap->last - gap->first + 1);
        texts.push_back(std::to_string(gap->first).append(1, '-').append(std::to_string(gap->last)));
      }
    }
    return texts;
  };
  EXPECT_THAT(heard(bob), ElementsAre("1", "2-3", "4", "5-5"));
  const auto pull = [&](std::uint64_t first, std::uint64_t last) {
    bob.heard.clear();
    world.say(bob, wire::hub::Pull{
                       .conversation = group("g"), .epoch = World::kEpoch, .first = first, .last = last});
    settle(bob);
    EXPECT_THAT(bob.all<wire::hub::Pulled>(), SizeIs(1));
    return heard(bob);
  };
  EXPECT_THAT(pull(1, 4), ElementsAre("1", "2-3", "4"));
  EXPECT_THAT(pull(1, 2), ElementsAre("1", "2-2"));
  EXPECT_THAT(pull(3, 3), ElementsAre("3-3"));
  EXPECT_THAT(pull(4, 0), ElementsAre("4", "5-5"));
}

TEST_F(ShardReview, WhoLeavesHearsOfNoHoleBehindWhatTheyWereNotSent) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  world.publish(ann, group("g"), "1");
  settle(ann);
  world.commits = false;
  world.publish(ann, group("g"), "2");
  settle(ann);
  world.log().broken = true;
  world.commits = true;
  settle(ann);
  world.log().broken = false;
  auto bob = connect("bob");
  bob.wire->room = 0;
  world.say(bob, wire::hub::Join{.group = "g", .from = Position{.epoch = World::kEpoch}});
  world.settle();  // the first, and that the second is gone, wait for him
  world.say(bob, wire::hub::Leave{.group = "g"});
  world.give_room(bob, SIZE_MAX);
  settle(bob);
  EXPECT_THAT(bob.all<wire::hub::Left>(), SizeIs(1));
  EXPECT_THAT(bob.texts(), IsEmpty());
  EXPECT_THAT(bob.all<wire::hub::Gap>(), IsEmpty());
}

TEST_F(ShardReview, NumbersThatTheDiskLostAreNotGivenAgain) {
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "g"});
  world.commits = false;
  world.publish(ann, group("g"), "x");
  settle(ann);
  world.log().broken = true;
  world.commits = true;
  settle(ann);
  world.log().broken = false;
  world.say(ann, wire::hub::Leave{.group = "g"});
  settle(ann);
  world.publish(ann, group("g"), "y", {.level = Level::stored});
  settle(ann);
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].position, (Position{.epoch = World::kEpoch, .offset = 2}));
}

TEST_F(ShardReview, NobodyWaitsForDeliveriesOnceTheyAreGone) {
  auto ann = connect("ann");
  for (int i = 0; i < 10; ++i)
    world.publish(ann, user("nobody" + std::to_string(i)), "x", {.level = Level::delivered});
  settle(ann);
  EXPECT_GE(world.shard().conversations(), 10U);
  world.hang_up(ann);
  world.settle();
  EXPECT_EQ(world.shard().conversations(), 0U);
}

TEST_F(ShardReview, OneClientWaitsForSoManyDeliveriesAndNoMore) {
  auto ann = connect("ann");
  for (std::size_t i = 0; i <= limits::kAwaitedOfConnection; ++i) {
    world.publish(ann, user("nobody"), "x", {.level = Level::delivered});
    if (i % 100 == 0) settle(ann);
  }
  settle(ann);
  auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].reason, Reason::too_many_requests);
  auto nobody = connect("nobody", {.acknowledges = true});
  for (int i = 0; i < 20; ++i) {
    settle(nobody);
    world.ack(nobody);
  }
  settle(ann);
  world.publish(ann, user("nobody"), "y", {.level = Level::delivered});
  settle(nobody);
  world.ack(nobody);
  settle(ann);
  receipts = ann.all<wire::hub::Receipt>();
  EXPECT_THAT(receipts, SizeIs(limits::kAwaitedOfConnection + 2));
  EXPECT_EQ(receipts.back().level, Level::delivered);
}

TEST_F(ShardReview, AFloodOfJoinsIsRefused) {
  auto ann = connect("ann");
  for (std::uint64_t i = 0; i < limits::kMessageBurst + 1; ++i) {
    world.say(ann, wire::hub::Join{.group = "g" + std::to_string(i)});
    world.say(ann, wire::hub::Leave{.group = "g" + std::to_string(i)});
    if (i % 500 == 0) world.settle();
  }
  world.settle();
  world.read(ann);
  const auto refused = ann.all<wire::hub::Refusal>();
  ASSERT_THAT(refused, SizeIs(2)) << "the Join, and its Leave";
  EXPECT_EQ(refused[0].reason, Reason::rate_limited);
  EXPECT_EQ(refused[0].group, "g" + std::to_string(limits::kMessageBurst));
  EXPECT_GT(refused[0].retry_after_ms, 0U);
}

TEST(ReceiverReview, WhoNeverAcknowledgesIsCutEvenWithoutAWindow) {
  FakeSocket socket{std::make_shared<testing::Wire>()};
  const ReceiverLimits limits{.close_unwritable_after = -1s, .window_enabled = false};
  Books books;
  Receiver receiver{{.encoding = wire::hub::Encoding::proto, .acknowledges = true},
                    limits,
                    socket,
                    std::make_shared<flow::Account>(1_MiB),
                    books,
                    [](const std::vector<flow::Drop>&) -> SharedFrames { return nullptr; }};
  const auto frame = std::make_shared<const Frames>(ByteBuffer(1), std::vector<std::uint32_t>{1});
  const TimePoint now{};
  for (std::size_t i = 0; i < limits::kUnacknowledged; ++i) receiver.say(frame, Receiver::Counts::yes, now);
  EXPECT_EQ(receiver.verdict(now), std::nullopt);
  receiver.say(frame, Receiver::Counts::yes, now);
  EXPECT_EQ(receiver.verdict(now), Reason::unacknowledged);
}

TEST_F(ShardReview, ARouteThatBeginsToConflateMeanwhileTakesWhatWaits) {
  auto ann = connect("ann");
  auto bob = connect("bob");
  world.publish(bob, user("ann"), "0");
  world.settle();
  ann.wire->room = 0;
  for (int i = 1; i <= 3; ++i) world.publish(bob, user("ann"), std::to_string(i), {.key = "k"});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.deliver_one(0));  // two of them wait for the tick
  GatewaySettings settings;
  settings.routes.push_back({.match = "user:*", .policy = flow::DropPolicy::conflate});
  world.shard().set_settings(settings, world.now);
  world.settle_for(10ms);
  world.give_room(ann, SIZE_MAX);
  settle(ann);
  EXPECT_THAT(ann.texts(), ElementsAre("0", "1", "2", "3"));
}

TEST_F(ShardReview, TellsWhatWasMissedUnderNumbersThatWereGivenAgain) {
  GatewaySettings settings;
  settings.routes.push_back({.match = "group:*", .stored = false});
  world.shard().set_settings(settings, world.now);
  auto bob = connect("bob");
  world.say(bob, wire::hub::Join{.group = "g"});
  for (int i = 0; i < 3; ++i) world.publish(bob, group("g"), "m");
  settle(bob);
  auto ann = connect("ann");
  // Of an earlier run, whose numbers were further.
  world.say(ann, wire::hub::Join{.group = "g", .from = Position{.epoch = World::kEpoch - 1, .offset = 100}});
  settle(ann);
  const auto gaps = ann.all<wire::hub::Gap>();
  ASSERT_THAT(gaps, SizeIs(2));
  EXPECT_EQ(gaps[0].reason, Reason::history_changed) << "nobody knows what came after that position";
  EXPECT_EQ(gaps[0].from, (Position{.epoch = World::kEpoch, .offset = 0}));
  EXPECT_EQ(gaps[1].epoch, World::kEpoch);
  EXPECT_EQ(gaps[1].first, 1U);
  EXPECT_EQ(gaps[1].last, 3U);
  EXPECT_TRUE(gaps[1].gone);
}

TEST_F(ShardReview, GivesNoNumberOfAnEpochTwiceWhenItForgetsARoom) {
  GatewaySettings settings{.rates_enabled = false, .tick = Duration::zero()};
  settings.routes.push_back({.match = "group:*", .stored = false});
  world.shard().set_settings(settings, world.now);
  auto bob = connect("bob");
  for (std::size_t i = 0; i < limits::kIdleHomes; ++i) {
    world.publish(bob, group("g" + std::to_string(i)), "m");
    if (i % 500 == 0) settle(bob);
  }
  for (int i = 0; i < 3; ++i) {
    world.publish(bob, group("late"), "m");
    settle(bob);
  }
  auto ann = connect("ann");
  world.say(ann, wire::hub::Join{.group = "late"});
  settle(ann);
  const auto joined = ann.all<wire::hub::Joined>();
  ASSERT_THAT(joined, SizeIs(1));
  EXPECT_GE(joined[0].position.offset, 3U);
}

}  // namespace
}  // namespace sluice::hub
