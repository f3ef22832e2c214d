#include "hub/gateway/users.hpp"

#include <gtest/gtest.h>

#include "hub/gateway/testing/world.hpp"

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using testing::World;
using wire::hub::Reason;

std::string session_of(World& world, World::Client& client) {
  world.settle();
  world.read(client);
  return client.all<wire::hub::Welcome>().at(0).session;
}

TEST(Users, RememberHowASessionEndedUntilItsTimeIsOver) {
  World world;
  auto ann = world.connect("ann");
  const std::string session = session_of(world, ann);
  EXPECT_EQ(world.shard().past(session, world.now.at), nullptr);
  world.hang_up(ann);
  world.settle();
  const Users::Past* const past = world.shard().past(session, world.now.at);
  ASSERT_NE(past, nullptr);
  EXPECT_EQ(past->user, "ann");
  EXPECT_EQ(past->ended.reason, Reason::closed_by_client);
  EXPECT_EQ(world.shard().past(session, world.now.at + limits::kResumeWindow), nullptr);
  EXPECT_EQ(world.shard().past("another", world.now.at), nullptr);
}

std::string ended_session(World& world) {
  auto client = world.connect("ann");
  const std::string session = session_of(world, client);
  world.hang_up(client);
  world.settle();
  return session;
}

World::Client resume(World& world, const std::string& session, std::size_t shard = 0) {
  return world.connect(
      "ann", shard, {.resume = wire::hub::Resume{.session_token = "ann/" + session}, .acknowledges = true});
}

TEST(Users, TellTheNextConnectionHowTheLastOneEndedAndAnOperatorStill) {
  World world;
  const std::string session = ended_session(world);
  auto second = resume(world, session);
  EXPECT_EQ(session_of(world, second), session);
  EXPECT_EQ(second.all<wire::hub::Welcome>().at(0).previous->reason, Reason::closed_by_client);
  EXPECT_NE(world.shard().past(session, world.now.at), nullptr);
}

TEST(Users, GiveASessionToTheConnectionThatResumesItAndEndTheOneThatHadIt) {
  World world{2};
  auto first = world.connect("ann", 1);
  const std::string session = session_of(world, first);
  auto second = resume(world, session);
  EXPECT_EQ(session_of(world, second), session);
  EXPECT_EQ(second.all<wire::hub::Welcome>().at(0).previous->reason, Reason::superseded);
  world.read(first);
  EXPECT_EQ(first.all<wire::hub::Kick>().at(0).reason, Reason::superseded);
  EXPECT_EQ(world.shard(0).connections() + world.shard(1).connections(), 1U);
}

TEST(Users, LetOnlyTheLastOfManyResumesWait) {
  World world{2};
  auto first = world.connect("ann", 1);
  const std::string session = session_of(world, first);
  std::vector<World::Client> resumed;
  for (std::size_t i = 0; i < 5; ++i) resumed.push_back(resume(world, session, i % 2));
  EXPECT_EQ(session_of(world, resumed.back()), session);
  for (std::size_t i = 0; i < 4; ++i) {
    world.read(resumed[i]);
    EXPECT_EQ(resumed[i].all<wire::hub::Kick>().at(0).reason, Reason::superseded) << i;
  }
  EXPECT_EQ(world.shard(0).connections() + world.shard(1).connections(), 1U);
}

TEST(Users, KeepWhatThereIsToTellUntilAConnectionHasBeenWelcome) {
  World world;
  const std::string session = ended_session(world);
  auto hasty = resume(world, session);
  auto second = resume(world, session);
  EXPECT_EQ(session_of(world, second), session);
  world.read(hasty);
  EXPECT_TRUE(hasty.all<wire::hub::Welcome>().empty());
  EXPECT_EQ(second.all<wire::hub::Welcome>().at(0).previous->reason, Reason::closed_by_client);
}

TEST(Users, ForgetWhoWaitedForASessionAndHasLeft) {
  World world{2};
  auto first = world.connect("ann", 1);
  const std::string session = session_of(world, first);
  auto second = resume(world, session);
  world.hang_up(second);
  world.settle();
  auto third = resume(world, session);
  EXPECT_EQ(session_of(world, third), session);
  EXPECT_EQ(world.shard(0).connections() + world.shard(1).connections(), 1U);
}

TEST(Users, KeepTheNewestEndOfASessionWhenTheOldOneIsForgotten) {
  World world;
  const std::string session = ended_session(world);
  world.pass(limits::kResumeWindow - 1s);
  auto second = resume(world, session);
  world.settle();
  world.hang_up(second);
  world.settle();
  world.pass(2s);
  auto other = world.connect("bob");  // looks for what is over
  world.settle();
  EXPECT_NE(world.shard().past(session, world.now.at), nullptr);
}

World::Client dead(World& world, std::size_t shard = 0) {
  auto client = world.connect("ann", shard);
  client.wire->answers_pings = false;
  return client;
}

TEST(Users, AreNotLockedOutByConnectionsThatAreDead) {
  World world{2, {.connections_per_user = 3}};
  std::vector<World::Client> phones;
  for (std::size_t i = 0; i < 3; ++i) phones.push_back(dead(world, i % 2));
  world.settle();
  auto fresh = world.connect("ann", 1);
  world.settle_for(1s);
  world.read(fresh);
  EXPECT_TRUE(fresh.heard.empty()) << "they have some time to answer";
  world.settle_for(limits::kProbeWait - 1s + limits::kSweep);
  world.read(fresh);
  ASSERT_EQ(fresh.all<wire::hub::Welcome>().size(), 1U);
  std::size_t superseded = 0;
  for (auto& phone : phones) {
    world.read(phone);
    const auto kicks = phone.all<wire::hub::Kick>();
    superseded += static_cast<std::size_t>(!kicks.empty() && kicks[0].reason == Reason::superseded);
  }
  EXPECT_EQ(superseded, 1U) << "one place was wanted";
}

TEST(Users, AreToldAtOnceThatAllTheirConnectionsLive) {
  World world{1, {.connections_per_user = 2}};
  auto first = world.connect("ann");
  auto second = world.connect("ann");
  world.settle();
  auto third = world.connect("ann");
  world.settle_for(2 * limits::kSweep);
  world.read(third);
  ASSERT_EQ(third.all<wire::hub::Kick>().size(), 1U);
  EXPECT_EQ(third.all<wire::hub::Kick>()[0].reason, Reason::too_many_connections);
  EXPECT_EQ(world.shard().connections(), 2U);
}

TEST(Users, LoseTheDeadConnectionAndKeepTheOneThatLives) {
  World world{1, {.connections_per_user = 2}};
  auto alive = world.connect("ann");
  auto phone = dead(world);
  world.settle();
  auto fresh = world.connect("ann");
  world.settle_for(limits::kProbeWait + limits::kSweep);
  world.read(alive);
  world.read(phone);
  world.read(fresh);
  EXPECT_TRUE(alive.all<wire::hub::Kick>().empty());
  EXPECT_EQ(phone.all<wire::hub::Kick>().at(0).reason, Reason::superseded);
  EXPECT_EQ(fresh.all<wire::hub::Welcome>().size(), 1U);
}

TEST(Users, TakeThePlaceOfOneThatLeavesWhileTheyWait) {
  World world{1, {.connections_per_user = 1}};
  auto phone = dead(world);
  world.settle();
  auto fresh = world.connect("ann");
  world.settle();
  world.hang_up(phone);
  world.settle();
  world.read(fresh);
  EXPECT_EQ(fresh.all<wire::hub::Welcome>().size(), 1U);
}

TEST(Users, LetFewWaitForAPlaceAndForgetThoseThatLeave) {
  World world{1, {.connections_per_user = 1}};
  auto phone = dead(world);
  world.settle();
  std::vector<World::Client> waiting;
  for (std::size_t i = 0; i < limits::kWaitingForPlace; ++i) waiting.push_back(world.connect("ann"));
  auto one_more = world.connect("ann");
  world.settle();
  world.read(one_more);
  EXPECT_EQ(one_more.all<wire::hub::Kick>().at(0).reason, Reason::too_many_connections);
  world.hang_up(waiting[0]);
  world.settle_for(limits::kProbeWait + 2 * limits::kSweep);
  world.read(waiting[1]);
  EXPECT_EQ(waiting[1].all<wire::hub::Welcome>().size(), 1U) << "the first that still waits";
  world.read(waiting[2]);
  EXPECT_EQ(waiting[2].all<wire::hub::Kick>().at(0).reason, Reason::too_many_connections);
  EXPECT_EQ(world.shard().connections(), 1U);
}

TEST(Users, RememberHowOthersSessionsEndedHoweverOftenOneComesAndGoes) {
  World world;
  auto bob = world.connect("bob");
  const std::string of_bob = session_of(world, bob);
  world.hang_up(bob);
  world.settle();
  std::string first;
  for (std::size_t i = 0; i < 2 * limits::kEndedSessionsPerUser; ++i) {
    world.pass(1ms);
    const std::string session = ended_session(world);
    if (i == 0) first = session;
  }
  EXPECT_EQ(world.shard().past(first, world.now.at), nullptr) << "one of ann's own had to go";
  EXPECT_NE(world.shard().past(of_bob, world.now.at), nullptr);
  // The same session again and again is one.
  world.pass(1ms);
  const std::string session = ended_session(world);
  for (std::size_t i = 0; i < 2 * limits::kEndedSessionsPerUser; ++i) {
    world.pass(1ms);
    auto again = resume(world, session);
    world.settle();
    world.hang_up(again);
    world.settle();
  }
  EXPECT_NE(world.shard().past(session, world.now.at), nullptr);
  EXPECT_NE(world.shard().past(of_bob, world.now.at), nullptr);
}

}  // namespace
}  // namespace sluice::hub
