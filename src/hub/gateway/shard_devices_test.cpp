#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// Each device of a user goes on in their inbox where it stopped itself.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::user;
using testing::World;

class ShardDevices : public ::testing::Test {
 protected:
  ShardDevices() { ann = world.connect("ann"); }
  ~ShardDevices() override { EXPECT_TRUE(world.books_balance()); }
  ShardDevices(const ShardDevices&) = delete;
  ShardDevices& operator=(const ShardDevices&) = delete;

  World::Client bob(std::string device, std::optional<wire::hub::Resume> resume = {}) {
    World::Client client = world.connect(
        "bob", 0, {.resume = std::move(resume), .acknowledges = true, .device = std::move(device)});
    settle(client);
    return client;
  }
  void settle(World::Client& client) {
    world.settle_for(20ms);
    world.read(client);
  }
  void send(const std::string& text) {
    world.publish(ann, user("bob"), text);
    world.settle_for(20ms);
  }
  /// It has processed all that it was sent, and goes.
  void take_and_go(World::Client& client) {
    settle(client);
    world.ack(client);
    world.hang_up(client);
    world.settle_for(20ms);
  }

  World world;
  World::Client ann{};
};

TEST_F(ShardDevices, WhatTheLaptopAcknowledgedIsStillThereForThePhone) {
  auto phone = bob("phone");
  take_and_go(phone);
  auto laptop = bob("laptop");
  send("one");
  send("two");
  take_and_go(laptop);
  EXPECT_THAT(laptop.texts(), ElementsAre("one", "two"));
  phone = bob("phone");
  EXPECT_THAT(phone.texts(), ElementsAre("one", "two"));
  take_and_go(phone);
  phone = bob("phone");
  EXPECT_THAT(phone.texts(), IsEmpty());
  laptop = bob("laptop");
  EXPECT_THAT(laptop.texts(), IsEmpty());
}

TEST_F(ShardDevices, ClientsThatNameNoneShareOneMark) {
  auto first = bob("");
  send("one");
  take_and_go(first);
  const auto second = bob("");
  EXPECT_THAT(second.texts(), IsEmpty());
}

TEST_F(ShardDevices, ADeviceThatIsNewGetsWhatIsKept) {
  auto laptop = bob("laptop");
  send("one");
  take_and_go(laptop);
  const auto tablet = bob("tablet");
  EXPECT_THAT(tablet.texts(), ElementsAre("one"));
  EXPECT_THAT(tablet.all<wire::hub::Gap>(), IsEmpty());
}

TEST_F(ShardDevices, AResumedSessionKeepsItsDevice) {
  auto phone = bob("phone");
  const auto token = phone.all<wire::hub::Welcome>().at(0).session_token;
  world.hang_up(phone);
  world.settle_for(20ms);
  auto resumed = bob("", wire::hub::Resume{.session_token = token});
  send("one");
  take_and_go(resumed);
  EXPECT_THAT(resumed.texts(), ElementsAre("one"));
  phone = bob("phone");
  EXPECT_THAT(phone.texts(), IsEmpty()) << "it was the phone that acknowledged it";
}

}  // namespace
}  // namespace sluice::hub
