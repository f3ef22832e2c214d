#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// A message that cannot be taken is rejected by itself, and its connection goes on.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using ::testing::ElementsAre;
using testing::group;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Reason;
using wire::hub::Recognized;
using wire::hub::Undecoded;

class ShardRejects : public ::testing::Test {
 protected:
  ShardRejects() {
    ann = world.connect("ann");
    bob = world.connect("bob");
    settle();
    ann.heard.clear();
    bob.heard.clear();
  }
  ~ShardRejects() override { EXPECT_TRUE(world.books_balance()); }
  ShardRejects(const ShardRejects&) = delete;
  ShardRejects& operator=(const ShardRejects&) = delete;

  void send_broken(World::Client& client, std::optional<Recognized> what, Reason reason = Reason::malformed) {
    world.shard().heard_undecoded(
        client.ref, {.reason = reason, .message = "`x` takes less.", .recognized = std::move(what)}, 100,
        world.now);
  }
  void settle() {
    world.settle_for(20ms);
    world.read(ann);
    world.read(bob);
  }

  World world;
  World::Client ann{};
  World::Client bob{};
};

TEST_F(ShardRejects, APublishIsAnsweredByItsReceiptAndTheOthersGoOn) {
  world.publish(ann, group("g"), "before");
  send_broken(ann, Recognized{.kind = Recognized::Kind::publish, .seq = ++ann.seq, .id = "m"},
              Reason::too_large);
  world.publish(ann, group("g"), "behind");
  settle();
  EXPECT_THAT(ann.all<wire::hub::Receipt>(),
              ElementsAre(wire::hub::Receipt{
                  .seq = 2, .id = "m", .reason = Reason::too_large, .message = "`x` takes less."}));
  ASSERT_FALSE(ann.all<wire::hub::Ack>().empty());
  EXPECT_EQ(ann.all<wire::hub::Ack>().back().seq, 3U);
  EXPECT_FALSE(ann.wire->closed);
}

TEST_F(ShardRejects, ARequestIsAnsweredByItsReplyOrByAnErrorWithItsSeq) {
  send_broken(ann, Recognized{.kind = Recognized::Kind::request, .seq = ++ann.seq, .id = "q"});
  send_broken(ann, Recognized{.kind = Recognized::Kind::request, .seq = ++ann.seq});
  settle();
  const auto replies = ann.all<wire::hub::Reply>();
  ASSERT_THAT(replies, SizeIs(1));
  EXPECT_EQ(replies[0].request, "q");
  EXPECT_EQ(replies[0].reason, Reason::malformed);
  const auto errors = ann.all<wire::hub::Refusal>();
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_EQ(errors[0].seq, 2U);
}

TEST_F(ShardRejects, AnythingElseIsAnsweredByAnErrorThatSaysWhatItIsAbout) {
  send_broken(ann, Recognized{.group = "g"});
  settle();
  const auto errors = ann.all<wire::hub::Refusal>();
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_EQ(errors[0].group, "g");
  EXPECT_EQ(errors[0].message, "`x` takes less.");
  EXPECT_FALSE(ann.wire->closed);
}

TEST_F(ShardRejects, AReplyThatCannotBeReadReachesTheClientThatAsked) {
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = "bob"});
  settle();
  ASSERT_THAT(bob.all<wire::hub::Delivery>(), SizeIs(1));
  send_broken(bob,
              Recognized{.kind = Recognized::Kind::reply, .id = bob.all<wire::hub::Delivery>()[0].request},
              Reason::too_large);
  settle();
  const auto replies = ann.all<wire::hub::Reply>();
  ASSERT_THAT(replies, SizeIs(1)) << "and not only when the request times out";
  EXPECT_EQ(replies[0].request, "q");
  EXPECT_EQ(replies[0].reason, Reason::too_large);
  EXPECT_THAT(bob.all<wire::hub::Refusal>(), SizeIs(1));
}

TEST_F(ShardRejects, ASeqThatCannotBeReadOrGoesBackwardsEndsTheConnection) {
  send_broken(ann, Recognized{.kind = Recognized::Kind::publish});
  EXPECT_TRUE(ann.wire->closed);
  world.publish(bob, user("ann"), "m");
  send_broken(bob, Recognized{.kind = Recognized::Kind::publish, .seq = 1, .id = "m"});
  EXPECT_TRUE(bob.wire->closed);
  settle();
  ASSERT_THAT(bob.all<wire::hub::Kick>(), SizeIs(1));
  EXPECT_EQ(bob.all<wire::hub::Kick>()[0].reason, Reason::protocol_violation);
}

TEST_F(ShardRejects, WhatCannotBeUnderstoodAtAllEndsTheConnection) {
  send_broken(ann, std::nullopt);
  settle();
  EXPECT_TRUE(ann.wire->closed);
  ASSERT_THAT(ann.all<wire::hub::Kick>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Kick>()[0].reason, Reason::malformed);
}

TEST_F(ShardRejects, OnlyAWelcomedClientsLargerMessagesAreReadToBeRejected) {
  World::Client carl{.user = "carl"};
  carl.ref = world.shard().open(std::make_unique<testing::FakeSocket>(carl.wire), wire::hub::Encoding::proto,
                                world.now);
  EXPECT_FALSE(carl.wire->max_message);
  send_broken(carl, Recognized{.kind = Recognized::Kind::publish, .seq = 1, .id = "m"});
  EXPECT_TRUE(carl.wire->closed) << "the first message is a Hello";
  EXPECT_EQ(ann.wire->max_message, limits::kMaxRejectedEnvelope);
}

TEST_F(ShardRejects, ARejectedMessageCostsItsSenderWhatAGoodOneDoes) {
  const auto burst = GatewaySettings{}.per_connection.messages.burst;
  for (std::uint64_t i = 0; i < burst; ++i) send_broken(ann, Recognized{.group = "g"});
  world.say(ann, wire::hub::Join{.group = "g"});
  settle();
  EXPECT_EQ(ann.all<wire::hub::Refusal>().back().reason, Reason::rate_limited);
}

// --- names that look like others

class ShardNames : public ShardRejects {
 protected:
  static constexpr auto kHidden = "ad\u200Bmin";
};

TEST_F(ShardNames, AGroupOrUserWithAnInvisibleCharacterIsRejected) {
  world.say(ann, wire::hub::Join{.group = kHidden});
  world.publish(ann, group(kHidden), "m");
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = kHidden});
  settle();
  ASSERT_THAT(ann.all<wire::hub::Refusal>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Refusal>()[0].reason, Reason::malformed);
  EXPECT_THAT(ann.all<wire::hub::Refusal>()[0].message, ::testing::HasSubstr("`join.group`"));
  EXPECT_THAT(ann.all<wire::hub::Refusal>()[0].message, ::testing::HasSubstr("U+200B"));
  ASSERT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Receipt>()[0].reason, Reason::malformed);
  ASSERT_THAT(ann.all<wire::hub::Reply>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Reply>()[0].reason, Reason::malformed);
  const auto hidden = world.connect(kHidden);
  settle();
  EXPECT_TRUE(hidden.wire->closed);
}

TEST_F(ShardNames, AnOperatorMayAllowThem) {
  GatewaySettings settings;
  settings.invisible_names = true;
  world.shard().set_settings(settings, world.now);
  world.say(ann, wire::hub::Join{.group = kHidden});
  const auto hidden = world.connect(kHidden);
  settle();
  EXPECT_THAT(ann.all<wire::hub::Joined>(), SizeIs(1));
  EXPECT_FALSE(hidden.wire->closed);
}

}  // namespace
}  // namespace sluice::hub
