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

TEST(Users, TellTheNextConnectionOnceAndAnOperatorAsOftenAsHeAsks) {
  World world;
  auto first = world.connect("ann");
  const std::string session = session_of(world, first);
  world.hang_up(first);
  world.settle();
  const auto resumed = [&] {
    auto client = world.connect("ann", 0, {.resume = wire::hub::Resume{.session_token = "ann/" + session}});
    EXPECT_EQ(session_of(world, client), session);
    return client;
  };
  EXPECT_TRUE(resumed().all<wire::hub::Welcome>().at(0).previous);
  EXPECT_FALSE(resumed().all<wire::hub::Welcome>().at(0).previous);
  const Users::Past* const past = world.shard().past(session, world.now.at);
  ASSERT_NE(past, nullptr);
  EXPECT_TRUE(past->resumed);
}

TEST(Users, KeepTheNewestEndOfASessionWhenTheOldOneIsForgotten) {
  World world;
  auto first = world.connect("ann");
  const std::string session = session_of(world, first);
  world.hang_up(first);
  world.settle();
  world.pass(limits::kResumeWindow - 1s);
  auto second = world.connect("ann", 0, {.resume = wire::hub::Resume{.session_token = "ann/" + session}});
  world.settle();
  world.hang_up(second);
  world.settle();
  world.pass(2s);
  auto other = world.connect("bob");  // looks for what is over
  world.settle();
  EXPECT_NE(world.shard().past(session, world.now.at), nullptr);
}

}  // namespace
}  // namespace sluice::hub
