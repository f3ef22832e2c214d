#include "hub/gateway/shard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/testing/world.hpp"

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
using wire::hub::Conversation;
using wire::hub::Level;
using wire::hub::Reason;

class ShardTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  explicit ShardTest(GatewaySettings settings = {}) : world(GetParam(), std::move(settings)) {}
  ~ShardTest() override { EXPECT_TRUE(world.books_balance()); }
  ShardTest(const ShardTest&) = delete;
  ShardTest& operator=(const ShardTest&) = delete;

  /// Connects, each on another shard.
  World::Client connect(const std::string& name, wire::hub::Hello hello = {}) {
    World::Client client = world.connect(name, next_++ % GetParam(), std::move(hello));
    world.settle();
    world.read(client);
    return client;
  }
  void join(World::Client& client, const std::string& name, std::optional<wire::hub::Position> from = {}) {
    world.say(client, wire::hub::Join{.group = name, .from = from});
    world.settle();
    world.read(client);
  }
  void settle(std::initializer_list<World::Client*> clients) {
    world.settle_for(10ms);
    for (World::Client* const client : clients) world.read(*client);
  }

  World world;

 private:
  std::size_t next_ = 0;
};

TEST_P(ShardTest, WelcomesWhoSaysWhoTheyAre) {
  const auto ann = connect("ann");
  const auto welcomes = ann.all<wire::hub::Welcome>();
  ASSERT_THAT(welcomes, SizeIs(1));
  EXPECT_EQ(welcomes[0].user, "ann");
  EXPECT_EQ(welcomes[0].epoch, World::kEpoch);
  EXPECT_FALSE(welcomes[0].resumed);
  EXPECT_EQ(welcomes[0].previous, std::nullopt);
}

TEST_P(ShardTest, RefusesWhoDoesNot) {
  const auto nobody = connect("");
  EXPECT_EQ(nobody.all<wire::hub::Kick>().at(0).reason, Reason::unauthenticated);
  EXPECT_EQ(nobody.wire->closed, 4010);
}

TEST_P(ShardTest, EndsWhoSaysSomethingElseFirst) {
  auto ann = world.connect("ann");
  world.say(ann, wire::hub::Ping{});
  world.settle();
  world.read(ann);
  EXPECT_EQ(ann.all<wire::hub::Kick>().at(0).reason, Reason::protocol_violation);
  EXPECT_EQ(ann.wire->closed, 1002);
}

TEST_P(ShardTest, EndsWhoSaysNothing) {
  auto wire = std::make_shared<testing::Wire>();
  (void)world.shard().open(std::make_unique<testing::FakeSocket>(wire), wire::hub::Encoding::proto,
                           world.now);
  world.settle_for(limits::kHubHelloTimeout + 100ms);
  EXPECT_EQ(wire->closed, 4031);
}

TEST_P(ShardTest, BringsAMessageToEveryMemberInOneOrder) {
  auto ann = connect("ann"), bob = connect("bob"), eve = connect("eve");
  for (auto* client : {&ann, &bob}) join(*client, "ops");
  world.publish(ann, group("ops"), "one");
  world.publish(ann, group("ops"), "two");
  settle({&ann, &bob, &eve});
  world.publish(bob, group("ops"), "three");
  settle({&ann, &bob, &eve});
  EXPECT_THAT(bob.texts(), ElementsAre("one", "two", "three"));
  EXPECT_THAT(ann.texts(), ElementsAre("one", "two", "three")) << "the sender too";
  EXPECT_THAT(eve.texts(), IsEmpty());
  EXPECT_EQ(ann.all<wire::hub::Ack>().back().seq, 2U);
  EXPECT_EQ(bob.all<wire::hub::Delivery>().at(2).position, (wire::hub::Position{World::kEpoch, 3}));
}

TEST_P(ShardTest, BringsAMessageToAUserAndToAll) {
  auto ann = connect("ann"), bob = connect("bob"), bob_too = connect("bob");
  world.publish(ann, user("bob"), "hello");
  world.publish(ann, {.kind = wire::hub::Conversation::Kind::all}, "everyone");
  settle({&ann, &bob, &bob_too});
  EXPECT_THAT(bob.texts(), ::testing::UnorderedElementsAre("hello", "everyone"));
  EXPECT_THAT(bob_too.texts(), ::testing::UnorderedElementsAre("hello", "everyone"));
  EXPECT_THAT(ann.texts(), ElementsAre("everyone"));
}

TEST_P(ShardTest, KeepsWhatCameWhileAUserWasAway) {
  auto ann = connect("ann");
  world.publish(ann, user("bob"), "one");
  world.publish(ann, user("bob"), "two");
  settle({&ann});
  auto bob = connect("bob");
  settle({&bob});
  EXPECT_THAT(bob.texts(), ElementsAre("one", "two"));
  EXPECT_TRUE(bob.all<wire::hub::Delivery>().at(0).replayed);
  world.publish(ann, user("bob"), "three");
  settle({&bob});
  EXPECT_THAT(bob.texts(), ElementsAre("one", "two", "three"));
}

TEST_P(ShardTest, TellsWhoComesForTheFirstTimeWhatIsGone) {
  auto ann = connect("ann");
  for (int i = 0; i < 5; ++i) world.publish(ann, user("bob"), std::to_string(i));
  for (int i = 0; i < 3; ++i) world.publish(ann, group("ops"), std::to_string(i));
  settle({&ann});
  for (std::size_t shard = 0; shard < GetParam(); ++shard) {
    world.log(shard).trim(user("bob"), 2);
    world.log(shard).trim(group("ops"), 1);
  }
  auto bob = connect("bob", {.acknowledges = true});
  join(bob, "ops", wire::hub::Position{});
  settle({&bob});
  EXPECT_THAT(bob.texts(), ::testing::UnorderedElementsAre("3", "4", "2"));
  const auto gaps = bob.all<wire::hub::Gap>();
  ASSERT_THAT(gaps, SizeIs(1)) << "a group is nobody's";
  EXPECT_EQ(gaps[0], (wire::hub::Gap{.conversation = user("bob"),
                                     .epoch = World::kEpoch,
                                     .first = 1,
                                     .last = 3,
                                     .count = 3,
                                     .reason = Reason::expired,
                                     .gone = true}));
  world.ack(bob);
  settle({&bob});
  auto again = connect("bob");
  settle({&again});
  EXPECT_THAT(again.all<wire::hub::Gap>(), IsEmpty()) << "once is enough";
  auto carol = connect("carol");
  settle({&carol});
  EXPECT_THAT(carol.all<wire::hub::Gap>(), IsEmpty()) << "nobody has written to her";
}

TEST_P(ShardTest, AnAcknowledgedInboxIsNotReplayed) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.publish(ann, user("bob"), "one");
  world.publish(ann, user("bob"), "two");
  settle({&bob});
  world.say(bob, wire::hub::Ack{.seq = 1});
  world.hang_up(bob);
  settle({&ann});
  auto again = connect("bob");
  settle({&again});
  EXPECT_THAT(again.texts(), ElementsAre("two"));
}

TEST_P(ShardTest, DoesNotDeliverAMessageTwice) {
  auto ann = connect("ann"), bob = connect("bob");
  world.publish(ann, user("bob"), "pay", {.id = "p1"});
  settle({&bob});
  world.publish(ann, user("bob"), "pay", {.id = "p1"});
  settle({&ann, &bob});
  EXPECT_THAT(bob.texts(), ElementsAre("pay"));
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_TRUE(receipts[0].duplicate);
  EXPECT_EQ(receipts[0].position.offset, 1U);
}

TEST_P(ShardTest, TellsWhenAMessageIsStoredAndWhenDelivered) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.commits = false;
  world.publish(ann, user("bob"), "one", {.level = Level::stored});
  world.publish(ann, user("bob"), "two", {.level = Level::delivered});
  settle({&ann, &bob});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  EXPECT_THAT(ann.all<wire::hub::Ack>(), IsEmpty());
  world.commits = true;
  settle({&ann});
  ASSERT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Receipt>().at(0).level, Level::stored);
  EXPECT_EQ(ann.all<wire::hub::Ack>().back().seq, 2U) << "how long a delivery takes holds nobody up";
  world.ack(bob);
  settle({&ann});
  EXPECT_EQ(ann.all<wire::hub::Receipt>().at(1).level, Level::delivered);
}

TEST_P(ShardTest, CallsNothingDeliveredThatIsNotStored) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.commits = false;
  world.publish(ann, user("bob"), "one", {.level = Level::delivered});
  settle({&bob});
  world.ack(bob);
  settle({&ann, &bob});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  world.commits = true;
  settle({&ann});
  ASSERT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Receipt>().at(0).level, Level::delivered);
}

TEST_P(ShardTest, CallsNothingDeliveredThatWasDropped) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  join(bob, "ops");
  world.give_room(bob, 0);
  constexpr std::size_t kAll = 40;
  for (std::size_t i = 0; i < kAll; ++i)
    world.publish(ann, group("ops"), std::string(4'000, 'x'), {.level = Level::delivered});
  settle({&ann});
  world.give_room(bob, SIZE_MAX);
  const auto take_all = [&] {
    settle({&bob});
    world.ack(bob);
    settle({&ann, &bob});
    world.ack(bob);
    settle({&ann});
  };
  take_all();
  const auto gaps = bob.all<wire::hub::Gap>();
  ASSERT_THAT(gaps, SizeIs(1));
  const auto told = [&] {
    std::vector<std::uint64_t> offsets;
    for (const auto& receipt : ann.all<wire::hub::Receipt>()) {
      EXPECT_EQ(receipt.level, Level::delivered);
      offsets.push_back(receipt.position.offset);
    }
    std::ranges::sort(offsets);
    return offsets;
  };
  std::vector<std::uint64_t> heard;
  for (const auto& delivery : bob.all<wire::hub::Delivery>()) heard.push_back(delivery.position.offset);
  std::ranges::sort(heard);
  ASSERT_EQ(heard.size() + gaps[0].count, kAll);
  EXPECT_EQ(told(), heard);
  for (auto next = gaps[0].first; next <= gaps[0].last;) {
    world.say(bob,
              wire::hub::Pull{
                  .conversation = group("ops"), .epoch = World::kEpoch, .first = next, .last = gaps[0].last});
    take_all();
    next = bob.all<wire::hub::Pulled>().back().last.offset + 1;
  }
  EXPECT_THAT(told(), SizeIs(kAll)) << "all of it was pulled";
}

TEST_P(ShardTest, CallsNothingDeliveredThatCameBeforeAnybodyListened) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.publish(ann, group("ops"), "to nobody", {.level = Level::delivered});
  settle({&ann});
  join(bob, "ops");
  world.publish(ann, group("ops"), "to bob", {.id = "second", .level = Level::delivered});
  settle({&bob});
  world.ack(bob);
  settle({&ann});
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].id, "second");
}

TEST_P(ShardTest, TakesAPositionForTheAcknowledgementThatWasLost) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  for (int i = 0; i < 3; ++i) world.publish(ann, user("bob"), "x", {.level = Level::delivered});
  settle({&ann, &bob});
  ASSERT_THAT(bob.texts(), SizeIs(3));
  const wire::hub::Welcome welcome = bob.all<wire::hub::Welcome>().at(0);
  world.hang_up(bob);
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  const wire::hub::PositionIn second{.conversation = user("bob"),
                                     .position = {.epoch = World::kEpoch, .offset = 2}};
  const auto resume = [&] {
    return connect(
        "bob", {.resume = wire::hub::Resume{.session_token = welcome.session_token, .positions = {second}},
                .acknowledges = true});
  };
  auto again = resume();
  settle({&ann, &again});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(2)) << "the third comes again";
  EXPECT_THAT(again.texts(), SizeIs(1));
  world.ack(again);
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(3));
}

TEST_P(ShardTest, TellsASecondCopyWhenTheFirstIsStored) {
  auto ann = connect("ann"), bob = connect("bob");
  world.commits = false;
  world.publish(ann, user("bob"), "pay", {.id = "p1", .level = Level::stored});
  world.publish(ann, user("bob"), "pay", {.id = "p1", .level = Level::stored});
  settle({&ann, &bob});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  world.commits = true;
  settle({&ann});
  world.publish(ann, user("bob"), "pay", {.id = "p1", .level = Level::stored});
  settle({&ann, &bob});
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(3));
  for (const auto& receipt : receipts) {
    EXPECT_EQ(receipt.level, Level::stored);
    EXPECT_EQ(receipt.position.offset, 1U);
  }
  EXPECT_FALSE(receipts[0].duplicate);
  EXPECT_TRUE(receipts[1].duplicate);
  EXPECT_TRUE(receipts[2].duplicate);
  EXPECT_THAT(bob.texts(), ElementsAre("pay"));
}

TEST_P(ShardTest, CallsNoSecondCopyStoredWhereNothingIsOnADisk) {
  auto ann = connect("ann");
  for (std::size_t shard = 0; shard < GetParam(); ++shard) world.log(shard).on_disk = false;
  world.publish(ann, user("bob"), "one", {.id = "m1"});
  settle({&ann});
  for (const Level level : {Level::stored, Level::delivered})
    world.publish(ann, user("bob"), "one", {.id = "m1", .level = level});
  settle({&ann});
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(2));
  for (const auto& receipt : receipts) {
    EXPECT_TRUE(receipt.duplicate);
    EXPECT_EQ(receipt.level, Level::accepted);
  }
}

TEST_P(ShardTest, WelcomeTellsWhereTheInboxIs) {
  auto ann = connect("ann");
  EXPECT_EQ(ann.all<wire::hub::Welcome>().at(0).inbox.offset, 0U);
  world.publish(ann, user("bob"), "one");
  world.publish(ann, user("bob"), "two");
  settle({&ann});
  auto bob = connect("bob");
  EXPECT_EQ(bob.all<wire::hub::Welcome>().at(0).inbox.offset, 2U);
}

TEST_P(ShardTest, RefusesMoreThanCanBeHandedOut) {
  auto ann = connect("ann"), bob = connect("bob");
  const auto& share = world.shard(ann.ref.shard).find(ann.ref)->share;
  const flow::Charge backlog{share->backlog, limits::kFanoutBacklog};  // of ann's own
  world.publish(ann, user("bob"), "one");
  settle({&ann, &bob});
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].reason, Reason::overloaded);
  EXPECT_GT(receipts[0].retry_after_ms, 0U);
  EXPECT_THAT(bob.texts(), IsEmpty());
}

TEST_P(ShardTest, CountsNothingAsBacklogOnceItIsHandedOut) {
  auto ann = connect("ann"), bob = connect("bob");
  world.publish(ann, user("bob"), "one");
  settle({&ann, &bob});
  EXPECT_EQ(world.ledger.backlog->stats().held, 0_B);
  EXPECT_GT(world.ledger.backlog->stats().peak, 0_B);
  EXPECT_EQ(world.ledger.process->stats().held, 0_B);
}

TEST_P(ShardTest, RefusesWhatTheDiskDoesNotTake) {
  auto ann = connect("ann"), bob = connect("bob");
  for (std::size_t i = 0; i < GetParam(); ++i) world.log(i).most_waiting = 0;
  world.publish(ann, user("bob"), "one", {.level = Level::stored});
  settle({&ann, &bob});
  const auto receipts = ann.all<wire::hub::Receipt>();
  EXPECT_EQ(receipts.at(0).reason, Reason::store_full);
  EXPECT_GT(receipts.at(0).retry_after_ms, 0U);
  EXPECT_THAT(bob.texts(), IsEmpty());
  for (std::size_t i = 0; i < GetParam(); ++i) world.log(i).most_waiting = 10;
  world.publish(ann, user("bob"), "two");
  settle({&bob});
  EXPECT_EQ(bob.all<wire::hub::Delivery>().at(0).position.offset, 1U) << "what was refused has no number";
}

TEST_P(ShardTest, ReplaysAGroupFromAPositionAndThenGoesOn) {
  auto ann = connect("ann"), bob = connect("bob");
  join(ann, "ops");
  for (const char* const text : {"1", "2", "3", "4"}) world.publish(ann, group("ops"), text);
  settle({&ann});
  join(bob, "ops", wire::hub::Position{World::kEpoch, 2});
  world.publish(ann, group("ops"), "5");
  settle({&bob});
  EXPECT_THAT(bob.texts(), ElementsAre("3", "4", "5"));
}

TEST_P(ShardTest, TellsWhichRangeIsGone) {
  auto ann = connect("ann"), bob = connect("bob");
  join(ann, "ops");
  for (int i = 0; i < 10; ++i) world.publish(ann, group("ops"), std::to_string(i + 1));
  settle({&ann});
  for (std::size_t i = 0; i < GetParam(); ++i) world.log(i).trim(group("ops"), 3);
  join(bob, "ops", wire::hub::Position{World::kEpoch, 2});
  settle({&bob});
  const auto gaps = bob.all<wire::hub::Gap>();
  ASSERT_THAT(gaps, SizeIs(1));
  EXPECT_EQ(gaps[0].first, 3U);
  EXPECT_EQ(gaps[0].last, 7U);
  EXPECT_TRUE(gaps[0].gone);
  EXPECT_THAT(bob.texts(), ElementsAre("8", "9", "10"));
}

TEST_P(ShardTest, PullsARange) {
  auto ann = connect("ann");
  join(ann, "ops");
  for (int i = 0; i < 6; ++i) world.publish(ann, group("ops"), std::to_string(i + 1));
  settle({&ann});
  ann.heard.clear();
  world.say(ann,
            wire::hub::Pull{.conversation = group("ops"), .epoch = World::kEpoch, .first = 2, .last = 4});
  settle({&ann});
  EXPECT_THAT(ann.texts(), ElementsAre("2", "3", "4"));
  EXPECT_EQ(ann.all<wire::hub::Pulled>().at(0).last.offset, 4U);
}

TEST_P(ShardTest, ResumesWhereASessionEndedAndSaysWhyItDid) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  join(ann, "ops");
  join(bob, "ops");
  world.publish(ann, group("ops"), "one");
  settle({&bob});
  world.settle_for(3s);  // never acknowledges
  EXPECT_TRUE(bob.wire->cut);
  EXPECT_THAT(world.ends(), ElementsAre(Pair("bob", Reason::unacknowledged)));
  world.publish(ann, group("ops"), "two");
  settle({&ann});
  auto again =
      connect("bob", {.resume = wire::hub::Resume{
                          .session_token = bob.all<wire::hub::Welcome>().at(0).session_token,
                          .positions = {{.conversation = group("ops"), .position = {World::kEpoch, 0}}}}});
  settle({&again});
  const auto welcome = again.all<wire::hub::Welcome>().at(0);
  EXPECT_TRUE(welcome.resumed);
  ASSERT_TRUE(welcome.previous.has_value());
  EXPECT_EQ(welcome.previous->reason, Reason::unacknowledged);
  EXPECT_THAT(welcome.previous->history, ::testing::Not(IsEmpty()));
  EXPECT_THAT(again.texts(), ElementsAre("one", "two"));
}

TEST_P(ShardTest, ATokenOfSomebodyElseResumesNothing) {
  auto ann = connect("ann");
  auto eve = connect(
      "eve",
      {.resume = wire::hub::Resume{.session_token = ann.all<wire::hub::Welcome>().at(0).session_token}});
  EXPECT_FALSE(eve.all<wire::hub::Welcome>().at(0).resumed);
}

TEST_P(ShardTest, CutsWhoTakesNothing) {
  auto ann = connect("ann"), bob = connect("bob");
  join(ann, "ops");
  join(bob, "ops");
  world.give_room(bob, 10);
  world.publish(ann, group("ops"), "x");
  world.settle_for(1'900ms);
  EXPECT_THAT(world.ends(), IsEmpty());
  world.settle_for(300ms);
  EXPECT_THAT(world.ends(), ElementsAre(Pair("bob", Reason::slow_consumer)));
  EXPECT_TRUE(bob.wire->cut);
}

TEST_P(ShardTest, DropsNormalMessagesOfTheSlowAndTellsThem) {
  auto ann = connect("ann"), bob = connect("bob");
  join(ann, "ops");
  join(bob, "ops");
  world.give_room(bob, 0);
  for (int i = 0; i < 40; ++i) world.publish(ann, group("ops"), std::string(4'000, 'x'));
  settle({&ann});
  EXPECT_THAT(ann.texts(), SizeIs(40)) << "nobody else is harmed";
  world.give_room(bob, SIZE_MAX);
  settle({&bob});
  const auto gaps = bob.all<wire::hub::Gap>();
  ASSERT_THAT(gaps, SizeIs(1));
  EXPECT_EQ(gaps[0].reason, Reason::dropped_oldest);
  EXPECT_EQ(gaps[0].count + bob.texts().size(), 40U);
}

TEST_P(ShardTest, ReadsWhoIsOnlyBehindWithAcknowledgements) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  join(bob, "ops");
  const std::size_t enough = (limits::kDeliveryWindow + limits::kOutboxHigh * 2).count() / 4'000;
  for (std::size_t i = 0; i < enough; ++i) world.publish(ann, group("ops"), std::string(4'000, 'x'));
  settle({&ann, &bob});
  EXPECT_TRUE(bob.wire->reading) << "its acknowledgements are what lets it have more";
  for (int i = 0; i < 10; ++i) {
    world.ack(bob);
    settle({&bob});
  }
  std::uint64_t dropped = 0;
  for (const auto& gap : bob.all<wire::hub::Gap>()) dropped += gap.count;
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(bob.texts().size() + dropped, enough);
  EXPECT_THAT(world.ends(), IsEmpty());
}

TEST_P(ShardTest, DoesNotReadWhoTakesNoAnswers) {
  auto ann = connect("ann"), bob = connect("bob");
  world.give_room(bob, 0);
  for (int i = 0; i < 20; ++i) world.publish(ann, user("bob"), std::string(4'000, 'x'));
  settle({&ann});
  EXPECT_FALSE(bob.wire->reading);
  world.give_room(bob, SIZE_MAX);
  settle({&bob});
  EXPECT_TRUE(bob.wire->reading);
}

TEST_P(ShardTest, BringsWhatIsLargerThanTheWindow) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.publish(ann, user("bob"), std::string(limits::kDeliveryWindow.count() + 1, 'x'));
  settle({&ann, &bob});
  EXPECT_THAT(bob.texts(), SizeIs(1)) << "nothing is there whose acknowledgement would let it go";
  world.publish(ann, user("bob"), "y");
  settle({&ann, &bob});
  EXPECT_THAT(bob.texts(), SizeIs(1));
  world.ack(bob);
  settle({&bob});
  EXPECT_THAT(bob.texts(), SizeIs(2));
}

TEST_P(ShardTest, WhoIsWelcomeListensToWhatIsForEveryone) {
  const Conversation all{.kind = Conversation::Kind::all};
  for (std::size_t home = 0; home < GetParam(); ++home) {  // on each of them: one is where that is at home
    auto ann = world.connect("ann" + std::to_string(home), home);
    world.settle();
    auto bob = world.connect("bob", (home + 1) % GetParam());
    while (bob.all<wire::hub::Welcome>().empty()) {  // by the way that takes longest for everything else
      bool moved = false;
      for (std::size_t queue = 0; queue < world.queues() && !moved; ++queue) moved = world.deliver_one(queue);
      ASSERT_TRUE(moved);
      world.read(bob);
    }
    world.publish(ann, all, "welcome");
    settle({&ann, &bob});
    EXPECT_THAT(bob.texts(), ElementsAre("welcome"));
    world.hang_up(ann);
    world.hang_up(bob);
    world.settle();
  }
}

TEST_P(ShardTest, RefusesWhatOneMayNot) {
  world.rights["eve"] = {.publish = {"eve.*"}, .join = {"eve.*"}};
  auto eve = connect("eve");
  world.publish(eve, group("ops"), "x");
  world.publish(eve, user("ann"), "x");
  world.say(eve, wire::hub::Join{.group = "ops"});
  world.say(eve, wire::hub::Request{.seq = ++eve.seq, .id = "r", .user = "ann"});
  world.publish(eve, group("eve.s"), "x");
  world.say(eve, wire::hub::Join{.group = "eve.s"});
  settle({&eve});
  EXPECT_THAT(eve.all<wire::hub::Receipt>(), SizeIs(2));
  EXPECT_THAT(eve.all<wire::hub::Joined>(), SizeIs(1));
  EXPECT_EQ(eve.all<wire::hub::Receipt>().at(0).reason, Reason::forbidden);
  EXPECT_EQ(eve.all<wire::hub::Receipt>().at(1).reason, Reason::forbidden);
  EXPECT_EQ(eve.all<wire::hub::Refusal>().at(0).reason, Reason::forbidden);
  EXPECT_EQ(eve.all<wire::hub::Reply>().at(0).reason, Reason::forbidden);
}

TEST_P(ShardTest, ATokenThatExpiresMeanwhileIsToBeRefreshed) {
  world.expiry["ann"] = world.now.wall + 1'000;
  auto ann = connect("ann");
  world.settle_for(1'100ms);
  world.publish(ann, group("ops"), "x");
  settle({&ann});
  EXPECT_EQ(ann.all<wire::hub::Receipt>().at(0).reason, Reason::token_expired);
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = "ann"});
  settle({&ann});
  EXPECT_EQ(ann.all<wire::hub::Reply>().at(0).reason, Reason::token_expired);
  world.expiry["ann"] = world.now.wall + 100'000;
  world.say(ann, wire::hub::Refresh{.token = "ann"});
  world.publish(ann, group("ops"), "x");
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Refreshed>().at(0).expires_at, world.expiry["ann"]);
}

TEST_P(ShardTest, WhoseTokenHasExpiredIsSentAwayUnlessItComesWithAnother) {
  world.expiry["ann"] = world.expiry["bob"] = world.now.wall + 1'000;
  auto ann = connect("ann");
  auto bob = connect("bob");
  join(ann, "ops");
  join(bob, "ops");
  world.settle_for(1'100ms);
  world.expiry["bob"] = world.now.wall + 100'000;
  world.say(bob, wire::hub::Refresh{.token = "bob"});
  world.settle_for(GatewaySettings{}.close_expired_after - 500ms);
  settle({&ann, &bob});
  EXPECT_THAT(ann.all<wire::hub::Kick>(), IsEmpty());
  world.settle_for(500ms);
  settle({&ann, &bob});
  EXPECT_EQ(ann.all<wire::hub::Kick>().at(0).reason, Reason::token_expired);
  EXPECT_THAT(bob.all<wire::hub::Kick>(), IsEmpty());
}

TEST(ShardExpiry, TakesTokensThatExpireTogetherAFewAtATime) {
  World world;
  constexpr std::size_t kMore = 30;
  std::vector<World::Client> clients;
  for (std::size_t i = 0; i < limits::kDrainSlice + kMore; ++i) {
    const std::string name = "user" + std::to_string(i);
    world.expiry[name] = world.now.wall + 1'000;
    clients.push_back(world.connect(name));
  }
  world.settle();
  ASSERT_EQ(world.shard().connections(), clients.size());
  const Duration step = GatewaySettings{}.close_expired_after + 1s;
  world.now.at += step;
  world.now.wall += std::chrono::ceil<std::chrono::milliseconds>(step).count();
  world.shard().tick(world.now);
  EXPECT_EQ(world.shard().connections(), kMore);
  world.now.at += limits::kSweep;
  world.shard().tick(world.now);
  EXPECT_EQ(world.shard().connections(), 0U);
}

TEST_P(ShardTest, WhoseTokenHasExpiredStaysWhereTheOperatorSaysSo) {
  GatewaySettings settings;
  settings.close_expired_after = -1s;
  for (std::size_t shard = 0; shard < GetParam(); ++shard)
    world.shard(shard).set_settings(settings, world.now);
  world.expiry["ann"] = world.now.wall + 1'000;
  auto ann = connect("ann");
  world.settle_for(2min);
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Kick>(), IsEmpty());
}

TEST_P(ShardTest, ARefreshThatTakesARightAwayEndsTheMembership) {
  auto ann = connect("ann");
  join(ann, "ops");
  world.rights["ann"] = {.join = {"other"}};
  world.say(ann, wire::hub::Refresh{.token = "ann"});
  settle({&ann});
  EXPECT_EQ(ann.all<wire::hub::Left>().at(0).reason, Reason::forbidden);
}

TEST_P(ShardTest, LimitsHowFastOneMaySpeak) {
  auto ann = connect("ann");
  for (std::uint64_t i = 0; i < limits::kMessageBurst + 5; ++i) world.publish(ann, user("bob"), "x");
  settle({&ann});
  const auto receipts = ann.all<wire::hub::Receipt>();
  ASSERT_THAT(receipts, SizeIs(5));
  EXPECT_EQ(receipts[0].reason, Reason::rate_limited);
  EXPECT_GT(receipts[0].retry_after_ms, 0U);
}

TEST_P(ShardTest, AsksAndAnswers) {
  auto ann = connect("ann"), bob = connect("bob");
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = "bob", .content = {.bytes = "2+2"}});
  settle({&bob});
  const auto question = bob.all<wire::hub::Delivery>().at(0);
  EXPECT_EQ(question.content.bytes, "2+2");
  EXPECT_EQ(question.id, "q") << "as it was asked";
  EXPECT_EQ(question.from, "ann");
  world.say(bob, wire::hub::Reply{.request = question.request, .content = {.bytes = "4"}});
  settle({&ann});
  ASSERT_THAT(ann.all<wire::hub::Reply>(), SizeIs(1));
  EXPECT_EQ(ann.all<wire::hub::Reply>()[0].request, "q");
  EXPECT_EQ(ann.all<wire::hub::Reply>()[0].content.bytes, "4");
}

TEST_P(ShardTest, WhoAsksFasterThanItMayIsToldWhenToAskAgain) {
  GatewaySettings settings;
  settings.per_connection.messages = {.burst = 1, .tokens = 2};
  for (std::size_t shard = 0; shard < GetParam(); ++shard)
    world.shard(shard).set_settings(settings, world.now);
  auto ann = connect("ann");
  for (int i = 0; i < 2; ++i)
    world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = std::to_string(i), .user = "nobody"});
  settle({&ann});
  const auto replies = ann.all<wire::hub::Reply>();
  ASSERT_THAT(replies, SizeIs(2));
  EXPECT_EQ(replies[0].reason, Reason::rate_limited) << "the other has to ask at home first";
  EXPECT_NEAR(replies[0].retry_after_ms, 500, 1);
  EXPECT_EQ(replies[1].retry_after_ms, 0U);
}

TEST_P(ShardTest, OnlyWhoWasAskedMayAnswer) {
  auto ann = connect("ann"), bob = connect("bob"), eve = connect("eve");
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = "bob"});
  settle({&bob});
  world.say(eve, wire::hub::Reply{.request = bob.all<wire::hub::Delivery>().at(0).request});
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Reply>(), IsEmpty());
}

TEST_P(ShardTest, ARequestThatNobodyAnswersIsAnsweredByTheHub) {
  auto ann = connect("ann"), bob = connect("bob");
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "q", .user = "bob", .timeout_ms = 500});
  world.say(ann, wire::hub::Request{.seq = ++ann.seq, .id = "r", .user = "nobody"});
  settle({&ann});
  EXPECT_EQ(ann.all<wire::hub::Reply>().at(0).reason, Reason::offline);
  EXPECT_EQ(ann.all<wire::hub::Reply>().at(0).request, "r");
  world.settle_for(600ms);
  world.read(ann);
  EXPECT_EQ(ann.all<wire::hub::Reply>().at(1).reason, Reason::timed_out);
  EXPECT_EQ(ann.all<wire::hub::Reply>().at(1).request, "q");
}

TEST_P(ShardTest, TellsWhoComesAndGoes) {
  auto ann = connect("ann"), bob = connect("bob"), bob_too = connect("bob");
  world.say(ann, wire::hub::Join{.group = "ops", .presence = true});
  join(bob, "ops");
  join(bob_too, "ops");
  world.say(ann, wire::hub::Who{.group = "ops"});
  settle({&ann});
  EXPECT_THAT(ann.all<wire::hub::Members>().at(0).users, ElementsAre("ann", "bob"));
  world.settle_for(200ms);
  world.hang_up(bob);
  settle({&ann});
  world.say(bob_too, wire::hub::Leave{.group = "ops"});  // told at once: bob will not be back by itself
  world.settle_for(200ms);
  settle({&ann});
  std::vector<std::pair<std::string, bool>> seen;
  for (const auto& presence : ann.all<wire::hub::Presence>())
    seen.emplace_back(presence.user, presence.online);
  EXPECT_THAT(seen, ElementsAre(Pair("ann", true), Pair("bob", true), Pair("bob", false)));
}

TEST_P(ShardTest, AUserHasSoManyConnectionsAndNoMore) {
  std::vector<World::Client> clients;
  for (std::size_t i = 0; i < limits::kConnectionsPerUser; ++i) clients.push_back(connect("ann"));
  auto more = connect("ann");
  world.settle_for(2 * limits::kSweep);  // the others are asked whether they live
  world.read(more);
  EXPECT_EQ(more.all<wire::hub::Kick>().at(0).reason, Reason::too_many_connections);
  world.hang_up(clients.front());
  world.settle();
  EXPECT_THAT(connect("ann").all<wire::hub::Welcome>(), SizeIs(1));
}

TEST_P(ShardTest, DrainsInStepsAndSendsEveryoneAway) {
  std::vector<World::Client> clients;
  for (int i = 0; i < 250; ++i) clients.push_back(connect("user" + std::to_string(i)));
  for (std::size_t i = 0; i < GetParam(); ++i) world.shard(i).begin_drain(world.now);
  world.settle_for(200ms);
  for (auto& client : clients) {
    world.read(client);
    EXPECT_EQ(client.wire->closed, 1001);
    EXPECT_GT(client.all<wire::hub::Kick>().at(0).retry_after_ms, 0U);
  }
}

TEST_P(ShardTest, LetsGoOfEverythingWhenAllHaveLeft) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  join(bob, "ops");
  world.give_room(bob, 100);
  for (int i = 0; i < 20; ++i) world.publish(ann, group("ops"), std::string(1'000, 'x'));
  settle({&ann});
  EXPECT_GT(world.ledger.process->stats().held, 0_B);
  world.hang_up(ann);
  world.hang_up(bob);
  settle({});
  EXPECT_EQ(world.ledger.process->stats().held, 0_B);
  const Books books = world.books();
  EXPECT_EQ(books.accepted, 20U);
  EXPECT_EQ(books.pending(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Shards, ShardTest, ::testing::Values(1, 3));

}  // namespace
}  // namespace sluice::hub
