#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/cost.hpp"
#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// An attacker and a victim: what one client says costs that client, and nothing that it does ends another's
/// connection or takes what others need.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using testing::group;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::user;
using testing::World;
using wire::hub::Reason;
using wire::hub::Reply;

class ShardFairness : public ::testing::Test {
 protected:
  ~ShardFairness() override { EXPECT_TRUE(world.books_balance()); }
  ShardFairness() = default;
  ShardFairness(const ShardFairness&) = delete;
  ShardFairness& operator=(const ShardFairness&) = delete;

  World::Client connect(const std::string& name, wire::hub::Hello hello = {}) {
    World::Client client = world.connect(name, 0, std::move(hello));
    hear(client);
    return client;
  }
  void hear(World::Client& client) {
    world.settle();
    world.read(client);
  }
  /// As often as it is read from, and no more than that often.
  std::uint64_t flood(World::Client& client, const std::function<wire::hub::FromClient()>& what,
                      std::uint64_t most = 1'000'000) {
    std::uint64_t said = 0;
    for (; client.wire->reading && !client.wire->closed && said < most; ++said) world.say(client, what());
    return said;
  }
  void request(World::Client& from, const std::string& whom, std::size_t size) {
    world.say(from, wire::hub::Request{.seq = ++from.seq,
                                       .id = "q" + std::to_string(from.seq),
                                       .user = whom,
                                       .content = {.bytes = std::string(size, 'q')}});
  }
  [[nodiscard]] static std::size_t rejected(const World::Client& client, Reason reason) {
    const auto replies = client.all<Reply>();
    return static_cast<std::size_t>(std::ranges::count(replies, reason, &Reply::reason));
  }

  World world{2};
  const std::uint64_t burst_ = cost::rate(Rates{}).burst;
  const std::uint64_t per_second_ = cost::rate(Rates{}).tokens;
};

TEST_F(ShardFairness, StopsReadingFromAFloodOfAnyKindInsteadOfAnsweringEach) {
  using namespace wire::hub;
  const std::map<std::string, FromClient> floods{
      {"pings", Ping{}},
      {"pongs that nobody asked for", Pong{}},
      {"leaves", Leave{.group = "not in it"}},
      {"joins of a group that it is in", Join{.group = "ops"}},
      {"acks that say nothing new", Ack{}},
      {"who", Who{.group = "ops"}},
      {"who of others", Who{.group = "not in it"}},
      {"pulls", Pull{.conversation = group("ops")}},
      {"pulls of others", Pull{.conversation = group("not in it")}},
      {"replies to nothing", wire::hub::Reply{.request = "0.1.1"}},
      {"refreshes", Refresh{.token = "somebody else"}}};
  for (const auto& [name, envelope] : floods) {
    auto eve = connect("eve of " + name);
    world.say(eve, Join{.group = "ops"});
    hear(eve);
    EXPECT_LE(flood(eve, [&] { return envelope; }), burst_) << name;
    EXPECT_FALSE(eve.wire->reading) << name;
    // And from then on at the rate.
    std::uint64_t said = 0;
    for (int i = 0; i < 100; ++i, world.pass(10ms)) {
      world.settle();
      said += flood(eve, [&] { return envelope; });
    }
    EXPECT_GT(said, 0U) << name;
    EXPECT_LE(said, per_second_ * 11 / 10) << name;
    EXPECT_FALSE(eve.wire->cut) << name;
    world.hang_up(eve);
    world.settle();
  }
}

TEST_F(ShardFairness, ChargesAUserForAllOfTheirConnections) {
  std::vector<World::Client> of_eve;
  for (int i = 0; i < 8; ++i) of_eve.push_back(connect("eve"));
  std::uint64_t pings = 0;
  for (World::Client& eve : of_eve) pings += flood(eve, [] { return wire::hub::Ping{}; });
  EXPECT_LE(pings, 2 * burst_ / (1 + cost::kAnswer) + 8);
  for (World::Client& eve : of_eve) {
    world.say(eve, wire::hub::Pong{});
    EXPECT_FALSE(eve.wire->reading);
  }
  auto ann = connect("ann");
  EXPECT_EQ(flood(ann, [] { return wire::hub::Ping{}; }, 1'000), 1'000U) << "others have their own";
}

TEST_F(ShardFairness, NeverStopsReadingFromAClientThatKeepsToItsRates) {
  auto ann = connect("ann", {.acknowledges = true});
  for (int ms = 0; ms < 5'000; ++ms, world.pass(1ms)) {
    for (int i = 0; i < 2; ++i) {
      wire::hub::Publish publish{.seq = ++ann.seq, .id = std::to_string(ann.seq), .to = group("ops")};
      world.shard().heard(ann.ref, std::move(publish), 2'048, world.now);
    }
    if (ms % 100 == 0) world.say(ann, wire::hub::Ping{});
    ASSERT_TRUE(ann.wire->reading) << ms;
    world.settle();
  }
  world.read(ann);
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty()) << "and nothing was rejected";
}

TEST_F(ShardFairness, RejectsNoMoreThanSoManyPublishesASecond) {
  auto eve = connect("eve");
  const auto publish = [&] {
    return wire::hub::Publish{.seq = ++eve.seq, .id = std::to_string(eve.seq), .to = user("nobody")};
  };
  const auto second = [&] {
    for (int i = 0; i < 100; ++i, world.pass(10ms)) {
      flood(eve, publish);
      world.settle();
    }
    world.read(eve);
    const std::size_t rejected = eve.all<wire::hub::Receipt>().size();
    eve.heard.clear();
    return rejected;
  };
  (void)second();
  EXPECT_LE(second(), 260U);
  EXPECT_GT(second(), 0U) << "it is told all the same";
}

TEST_F(ShardFairness, DoesNotBlameAClientForAcknowledgementsThatAreNotReadFromIt) {
  auto ann = connect("ann"), bob = connect("bob", {.acknowledges = true});
  world.publish(ann, user("bob"), "to be acknowledged");
  hear(bob);
  for (int i = 0; i < 300; ++i) {
    flood(bob, [] { return wire::hub::Ping{}; });
    world.settle();
    world.pass(10ms);
  }
  EXPECT_FALSE(bob.wire->cut) << "its acknowledgement may be behind all that";
  for (int i = 0; i < 500 && !bob.wire->cut; ++i) world.pass(10ms);
  EXPECT_TRUE(bob.wire->cut) << "and now it cannot be";
  world.settle();
}

TEST_F(ShardFairness, RejectsRequestsThatASlowClientCannotTakeAndLeavesIt) {
  auto eve = connect("eve"), bob = connect("bob");
  world.give_room(bob, 100'000);
  for (int i = 0; i < 60; ++i) {
    request(eve, "bob", 60'000);
    hear(eve);
  }
  EXPECT_EQ(rejected(eve, Reason::overloaded), 58U) << "one is on its way, one has begun";
  EXPECT_GT(eve.all<Reply>().at(0).retry_after_ms, 0U);
  // 200 KB/s, and the requests go on.
  for (int i = 0; i < 100; ++i) {
    request(eve, "bob", 60'000);
    world.settle();
    world.give_room(bob, 10'000);
    world.read(bob);
    world.pass(50ms);
  }
  EXPECT_THAT(world.ends(), IsEmpty());
  EXPECT_GE(bob.all<wire::hub::Delivery>().size(), 10U) << "as many as it takes";
  world.publish(eve, user("bob"), "still there?");
  world.give_room(bob, SIZE_MAX);
  hear(bob);
  EXPECT_EQ(bob.texts().back(), "still there?");
}

TEST_F(ShardFairness, KeepsRequestsToAPartOfWhatAClientMayLeaveUnacknowledged) {
  auto eve = connect("eve"), bob = connect("bob", {.acknowledges = true});
  for (int i = 0; i < 60; ++i) request(eve, "bob", 10'000);
  hear(eve);
  hear(bob);
  const Bytes unacknowledged = world.shard().find(bob.ref)->receiver->unacknowledged();
  EXPECT_LE(unacknowledged, limits::kDeliveryWindow / limits::kRequestWindowShare);
  EXPECT_GT(unacknowledged, limits::kDeliveryWindow / 4);
  EXPECT_GT(rejected(eve, Reason::overloaded), 40U);
  world.ack(bob);
  request(eve, "bob", 10'000);
  hear(bob);
  EXPECT_EQ(world.shard().find(bob.ref)->receiver->unacknowledged() > Bytes{}, true);
  world.ack(bob);
}

TEST_F(ShardFairness, TellsASlowAskerThatItsReplyDidNotFit) {
  auto ann = connect("ann"), eve = connect("eve");
  for (int i = 0; i < 40; ++i) request(ann, "eve", 10);
  hear(eve);
  world.give_room(ann, 0);
  for (const auto& question : eve.all<wire::hub::Delivery>()) {
    world.say(eve, Reply{.request = question.request, .content = {.bytes = std::string(60'000, 'r')}});
    world.settle();
  }
  world.pass(50ms);
  EXPECT_THAT(world.ends(), IsEmpty());
  world.give_room(ann, SIZE_MAX);
  hear(ann);
  EXPECT_THAT(ann.all<Reply>(), SizeIs(40)) << "each is answered";
  EXPECT_GT(rejected(ann, Reason::overloaded), 20U);
  EXPECT_GE(rejected(ann, Reason::none), 8U);
}

TEST_F(ShardFairness, TellsASlowWatcherTheLatestPresenceAndLeavesIt) {
  auto watcher = connect("watcher");
  world.say(watcher, wire::hub::Join{.group = "ops", .presence = true});
  hear(watcher);
  watcher.heard.clear();
  world.give_room(watcher, 50);
  std::vector<World::Client> others;
  for (int i = 0; i < 240; ++i)
    others.push_back(connect("user with a name of some length " + std::to_string(i)));
  // More than a MiB of it.
  for (int round = 0; round < 60; ++round) {
    for (World::Client& other : others) {
      if (round % 2 == 0) {
        world.say(other, wire::hub::Join{.group = "ops"});
      } else {
        world.say(other, wire::hub::Leave{.group = "ops"});
      }
    }
    world.settle();
    world.pass(150ms);
    world.settle();
    // It reads, if slowly.
    world.give_room(watcher, 200);
  }
  for (int i = 0; i < 120; ++i)
    world.say(others[static_cast<std::size_t>(i)], wire::hub::Join{.group = "ops"});
  world.settle();
  world.pass(150ms);
  world.settle();
  EXPECT_THAT(world.ends(), IsEmpty());
  world.give_room(watcher, SIZE_MAX);
  hear(watcher);
  std::map<std::string, bool> online;
  for (const auto& what : watcher.all<wire::hub::Presence>()) online[what.user] = what.online;
  EXPECT_EQ(std::ranges::count_if(online, [](const auto& each) { return each.second; }), 120);
  EXPECT_LT(watcher.all<wire::hub::Presence>().size(), 1'000U) << "not each of 14,400";
}

TEST_F(ShardFairness, LeavesOthersRoomToAwaitTheirDeliveries) {
  std::vector<World::Client> of_eve;
  for (int i = 0; i < 4; ++i) of_eve.push_back(connect("eve"));
  std::size_t rejected = 0;
  for (World::Client& eve : of_eve) {
    for (std::size_t i = 0; i < limits::kAwaitedOfConnection; ++i) {
      const std::string id = std::to_string(eve.ref.id) + "." + std::to_string(i);
      world.publish(eve, user("bob"), "x", {.id = id, .level = wire::hub::Level::delivered});
    }
    hear(eve);
    for (const auto& receipt : eve.all<wire::hub::Receipt>()) {
      EXPECT_EQ(receipt.reason, Reason::too_many_requests);
      ++rejected;
    }
  }
  EXPECT_EQ(rejected, limits::kAwaitedDeliveries / 2) << "the rest of what may be awaited here";
  auto ann = connect("ann");
  for (int i = 0; i < 500; ++i) world.publish(ann, user("bob"), "x", {.level = wire::hub::Level::delivered});
  hear(ann);
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  auto bob = connect("bob", {.acknowledges = true});
  for (int i = 0; i < 100 && ann.all<wire::hub::Receipt>().size() < 500; ++i) {
    world.ack(bob);
    hear(bob);
    world.read(ann);
  }
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), SizeIs(500));
  // What was delivered makes room again.
  world.publish(of_eve[0], user("bob"), "x", {.id = "again", .level = wire::hub::Level::delivered});
  hear(bob);
  world.ack(bob);
  hear(of_eve[0]);
  EXPECT_EQ(of_eve[0].all<wire::hub::Receipt>().back().level, wire::hub::Level::delivered);
}

/// What waits is all on its way to its receivers, and nothing of it handed out.
class ShardBacklog : public ShardFairness {
 protected:
  void deliver_mail() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t queue = 0; queue < world.queues(); ++queue) moved = world.deliver_one(queue) || moved;
    }
  }
  void gather(const std::string& name, int count) {
    for (int i = 0; i < count; ++i) {
      readers_.push_back(connect("reader " + std::to_string(readers_.size())));
      world.say(readers_.back(), wire::hub::Join{.group = name});
      hear(readers_.back());
    }
  }
  std::vector<World::Client> readers_;
};

TEST_F(ShardBacklog, LeavesOthersRoomHoweverMuchOneSenderHasToBeHandedOut) {
  gather("flood", 100);
  auto eve = connect("eve"), ann = connect("ann");
  for (int i = 0; i < 40; ++i) world.publish(eve, group("flood"), std::string(60'000, 'x'));
  deliver_mail();
  EXPECT_LE(world.ledger.backlog->stats().held, limits::kFanoutBacklog / 5 * 4 + 6_MiB);
  for (int i = 0; i < 20; ++i) world.publish(ann, group("flood"), std::string(1'000, 'x'));
  deliver_mail();
  world.settle_for(20ms);
  hear(eve);
  hear(ann);
  EXPECT_THAT(ann.all<wire::hub::Receipt>(), IsEmpty());
  const auto receipts = eve.all<wire::hub::Receipt>();
  EXPECT_GT(receipts.size(), 25U);
  EXPECT_EQ(receipts.at(0).reason, Reason::overloaded);
  EXPECT_EQ(world.ledger.backlog->stats().held, Bytes{}) << "all is handed out";
}

TEST_F(ShardBacklog, HandsOutOthersMessagesInBetween) {
  gather("flood", 100);
  gather("small", 1);
  auto eve = connect("eve"), ann = connect("ann");
  for (int i = 0; i < 40; ++i) world.publish(eve, group("flood"), std::string(60'000, 'x'));
  deliver_mail();
  world.publish(ann, group("small"), "here");
  deliver_mail();
  (void)world.shard().work(world.now);
  world.read(readers_.back());
  EXPECT_THAT(readers_.back().texts(), SizeIs(1)) << "in the first turn, though 8 x 6 MB wait before it";
  EXPECT_GT(world.ledger.backlog->stats().held, 40_MiB);
  world.settle();
}

TEST_F(ShardFairness, AnswersARequestAtOnceWhereTheConnectionThatWasAskedEnds) {
  auto ann = connect("ann"), bob = connect("bob");
  request(ann, "bob", 10);
  hear(bob);
  ASSERT_THAT(bob.all<wire::hub::Delivery>(), SizeIs(1));
  world.hang_up(bob);
  hear(ann);
  ASSERT_THAT(ann.all<Reply>(), SizeIs(1)) << "no time has passed";
  EXPECT_EQ(ann.all<Reply>()[0].reason, Reason::offline);
  EXPECT_EQ(ann.all<Reply>()[0].request, "q1");
}

TEST_F(ShardFairness, TakesARequestToAnotherConnectionOfTheUserWhereOneIsGone) {
  std::size_t answered = 0;
  std::size_t taken_on = 0;
  // The connection ends after so many letters of those that bring the request to it.
  for (int letters = 0; letters < 8; ++letters) {
    const std::string name = "bob" + std::to_string(letters);
    auto ann = connect("ann"), first = connect(name), last = connect(name);
    request(ann, name, 10);
    for (int i = 0; i < letters; ++i) {
      for (std::size_t queue = 0; queue < world.queues() && !world.deliver_one(queue); ++queue) {
      }
    }
    world.hang_up(last);
    hear(ann);
    world.read(first);
    const std::size_t at_first = first.all<wire::hub::Delivery>().size();
    EXPECT_EQ(at_first + ann.all<Reply>().size(), 1U) << letters;
    taken_on += at_first;
    answered += ann.all<Reply>().size();
    if (at_first == 0) continue;
    world.say(first,
              Reply{.request = first.all<wire::hub::Delivery>()[0].request, .content = {.bytes = "4"}});
    hear(ann);
    EXPECT_EQ(ann.all<Reply>().at(0).content.bytes, "4");
  }
  EXPECT_GT(taken_on, 0U);
  EXPECT_GT(answered, 0U);
}

TEST_F(ShardFairness, LeavesOthersRoomToAskAClientThatDoesNotAnswer) {
  auto bob = connect("bob");
  std::size_t rejected_of_eve = 0;
  for (int i = 0; i < 12; ++i) {
    auto eve = connect("eve");
    for (int k = 0; k < 256; ++k) request(eve, "bob", 1);
    hear(eve);
    hear(bob);
    rejected_of_eve += rejected(eve, Reason::too_many_requests);
  }
  EXPECT_EQ(rejected_of_eve, 12 * 256 - limits::kAskedOfConnection / 2);
  auto ann = connect("ann");
  request(ann, "bob", 1);
  hear(ann);
  EXPECT_THAT(ann.all<Reply>(), IsEmpty()) << "it waits for its reply";
  EXPECT_EQ(world.shard().find(bob.ref)->asked->size(), limits::kAskedOfConnection / 2 + 1);
  world.settle_for(limits::kRequestTimeout + 1s);
  hear(ann);
  EXPECT_EQ(rejected(ann, Reason::timed_out), 1U);
  request(ann, "bob", 1);
  world.settle();
  EXPECT_EQ(world.shard().find(bob.ref)->asked->size(), 1U) << "what nobody waits for is forgotten";
}

TEST_F(ShardFairness, SaysNothingOfAUserWhoseSessionIsTakenOverAgainAndAgain) {
  auto watcher = connect("watcher");
  world.say(watcher, wire::hub::Join{.group = "ops", .presence = true});
  hear(watcher);
  auto ann = connect("ann");
  const std::string session = "ann/" + ann.all<wire::hub::Welcome>().at(0).session;
  world.say(ann, wire::hub::Join{.group = "ops"});
  hear(ann);
  world.settle_for(200ms);
  const auto of_ann = [&] {
    hear(watcher);
    const auto all = watcher.all<wire::hub::Presence>();
    return std::ranges::count(all, "ann", &wire::hub::Presence::user);
  };
  ASSERT_EQ(of_ann(), 1);
  for (int i = 0; i < 20; ++i) {
    ann = world.connect(
        "ann", static_cast<std::size_t>(i % 2),
        {.resume = wire::hub::Resume{.session_token = session,
                                     .positions = {{.conversation = group("ops"), .position = {}}}}});
    hear(ann);
    world.settle_for(300ms);
  }
  EXPECT_EQ(of_ann(), 1) << "neither offline nor online";
  world.hang_up(ann);
  world.settle_for(4s);
  EXPECT_EQ(of_ann(), 1);
  world.settle_for(1'500ms);
  EXPECT_EQ(of_ann(), 2);
  EXPECT_FALSE(watcher.all<wire::hub::Presence>().back().online);
}

TEST_F(ShardFairness, GrantsABackendWhatItsTokenSays) {
  world.granted["backend"] = {.messages_per_second = 10'000, .connections = 20, .unanswered = 4'000};
  auto backend = connect("backend"), browser = connect("browser");
  const wire::hub::Limits told = backend.all<wire::hub::Welcome>().at(0).limits;
  EXPECT_EQ(told.messages_per_second, 10'000U);
  EXPECT_EQ(told.message_burst, 20'000U);
  EXPECT_EQ(told.max_unanswered, 4'000U);
  EXPECT_EQ(told.max_connections, 20U);
  EXPECT_EQ(browser.all<wire::hub::Welcome>().at(0).limits.max_unanswered, limits::kUnanswered);
  // Unanswered: as many as each may have, and not read beyond.
  for (auto& [client, most] :
       {std::pair{&backend, std::size_t{4'000}}, std::pair{&browser, limits::kUnanswered}}) {
    const auto publish = [&] {
      return wire::hub::Publish{
          .seq = ++client->seq, .id = std::to_string(client->seq), .to = user("nobody")};
    };
    EXPECT_EQ(flood(*client, publish), most);
  }
  world.settle();
  EXPECT_TRUE(backend.wire->reading);
  for (int i = 0; i < 5'000; ++i) {
    for (World::Client* const client : {&backend, &browser}) world.publish(*client, user("nobody"), "x");
    world.settle();
  }
  world.read(backend);
  world.read(browser);
  EXPECT_THAT(backend.all<wire::hub::Receipt>(), IsEmpty());
  EXPECT_GT(browser.all<wire::hub::Receipt>().size(), 1'000U) << "rejected: RATE_LIMITED";
  std::vector<World::Client> more;
  for (int i = 0; i < 20; ++i) more.push_back(connect("backend"));
  world.settle_for(2 * limits::kSweep);  // the others are asked whether they live
  EXPECT_FALSE(more[18].wire->closed);
  EXPECT_EQ(more[19].wire->closed, 4022);
  // And less, with its next token.
  world.granted["backend"] = {.messages_per_second = 10};
  world.say(backend, wire::hub::Refresh{.token = "backend"});
  hear(backend);
  const auto refreshed = backend.all<wire::hub::Refreshed>().at(0);
  ASSERT_TRUE(refreshed.limits.has_value());
  EXPECT_EQ(refreshed.limits->messages_per_second, 10U);
  EXPECT_EQ(refreshed.limits->max_connections, limits::kConnectionsPerUser);
  world.settle_for(3s);  // it owes for what it has said before
  world.say(backend, wire::hub::Refresh{.token = "backend"});
  hear(backend);
  EXPECT_FALSE(backend.all<wire::hub::Refreshed>().at(1).limits.has_value()) << "nothing has changed";
}

}  // namespace
}  // namespace sluice::hub
