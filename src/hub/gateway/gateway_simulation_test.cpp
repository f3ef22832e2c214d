#include <random>
#include <set>

#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using testing::group;
using testing::user;
using testing::World;
using wire::hub::Conversation;
using wire::hub::Delivery;
using wire::hub::Gap;
using wire::hub::Reason;

constexpr std::size_t kShards = 3;

/// What a client has seen of a conversation, and whether it adds up.
struct Seen {
  std::uint64_t last = 0;            ///< The last offset that was delivered.
  std::uint64_t first = UINT64_MAX;  ///< The least and the greatest offset that anything was said of.
  std::uint64_t greatest = 0;
  std::uint64_t accounted = 0;  ///< Delivered, or counted by a Gap.

  void note(std::uint64_t from, std::uint64_t to, std::uint64_t count) {
    first = std::min(first, from);
    greatest = std::max(greatest, to);
    accounted += count;
  }
};

/// A hub with clients of every speed that come, go, publish, stall and resume, in an order that the seed
/// decides.
class GatewaySimulation : public ::testing::TestWithParam<unsigned> {
 protected:
  GatewaySimulation() : random_(GetParam()) {
    GatewaySettings settings;
    settings.routes = {{.match = "group:calls", .urgency = flow::Urgency::critical},
                       {.match = "group:prices", .policy = flow::DropPolicy::conflate, .stored = false},
                       {.match = "group:news", .policy = flow::DropPolicy::newest}};
    settings.receiver.outbox = {.marks = {.low = Bytes{2'000}, .high = Bytes{4'000}}, .hard = Bytes{40'000}};
    settings.receiver.window = Bytes{6'000};
    settings.fanout_slice = 3;
    world_ = std::make_unique<World>(kShards, std::move(settings));
  }

  struct Person {
    World::Client client;
    bool acknowledges = false;
    bool sleeps = false;  ///< Its program takes nothing.
    bool online = false;
    std::map<Conversation, Seen> seen{};
    std::size_t looked_at = 0;
    std::set<std::string> calls{};  ///< Ids of critical messages that it got.
  };

  std::size_t below(std::size_t n) { return random_() % n; }

  void come(Person& person, const std::string& name) {
    person.acknowledges = below(2) == 0;
    person.sleeps = false;
    person.seen.clear();
    person.looked_at = 0;
    person.client = world_->connect(name, below(kShards), {.acknowledges = person.acknowledges});
    person.online = true;
  }

  void step(std::vector<Person>& people) {
    const std::size_t index = below(people.size());
    Person& person = people[index];
    const std::string name = "user" + std::to_string(index);
    World::Client& client = person.client;
    if (person.online && (client.wire->cut || client.wire->closed)) {
      if (client.wire->closed) world_->hang_up(client);
      person.online = false;
    }
    if (!person.online) {
      if (below(4) == 0) come(person, name);
      return;
    }
    static const std::array<std::string, 4> kGroups{"calls", "prices", "news", "talk"};
    const std::string& where = kGroups[below(kGroups.size())];
    switch (below(12)) {
      case 0:
        world_->say(client, wire::hub::Join{.group = where});
        break;
      case 1:
        if (below(4) == 0) world_->say(client, wire::hub::Leave{.group = where});
        break;
      case 2:
        person.sleeps = below(3) == 0;
        if (person.sleeps) world_->give_room(client, below(3'000));
        break;
      case 3:
        if (below(10) == 0) {
          world_->hang_up(client);
          person.online = false;
        }
        break;
      case 4:
        world_->publish(client, user("user" + std::to_string(below(people.size()))),
                        std::string(below(500), 'u'));
        break;
      case 5:
        if (below(5) == 0) world_->publish(client, {.kind = Conversation::Kind::all}, "to all");
        break;
      default:
        world_->publish(client, group(where), std::string(below(700), 'g'),
                        {.key = where == "prices" ? std::string(1, static_cast<char>('a' + below(3))) : ""});
    }
    if (!person.sleeps) take(person);
  }

  /// Its program reads, checks and acknowledges.
  void take(Person& person) {
    World::Client& client = person.client;
    world_->give_room(client, below(2) == 0 ? SIZE_MAX : 500 + below(4'000));
    world_->read(client);
    for (; person.looked_at < client.heard.size(); ++person.looked_at)
      look_at(person, client.heard[person.looked_at]);
    if (person.acknowledges && !client.wire->cut && !client.wire->closed) world_->ack(client);
  }

  void look_at(Person& person, const wire::hub::FromHub& message) {
    if (const auto* const delivery = std::get_if<Delivery>(&message)) {
      Seen& seen = person.seen[delivery->to];
      EXPECT_GT(delivery->position.offset, seen.last) << "order, and nothing twice";
      seen.last = delivery->position.offset;
      seen.note(seen.last, seen.last, 1);
      EXPECT_EQ(delivery->critical, delivery->to == group("calls"));
    } else if (const auto* const gap = std::get_if<Gap>(&message)) {
      EXPECT_NE(gap->conversation, group("calls")) << "critical messages are never dropped";
      EXPECT_LE(gap->count, gap->last - gap->first + 1);
      person.seen[gap->conversation].note(gap->first, gap->last, gap->count);
    } else if (const auto* const left = std::get_if<wire::hub::Left>(&message)) {
      person.seen.erase(group(left->group));  // what waited then is not told of
    } else if (const auto* const joined = std::get_if<wire::hub::Joined>(&message)) {
      person.seen.erase(group(joined->group));
    }
  }

  /// Lets mail between shards arrive in an order of its own.
  void some_mail() {
    for (std::size_t i = 0; i < 1 + below(30); ++i) (void)world_->deliver_one(below(world_->queues()));
    for (std::size_t i = 0; i < kShards; ++i) (void)world_->shard(i).work(world_->now);
  }

  std::mt19937 random_;
  std::unique_ptr<World> world_;
};

TEST_P(GatewaySimulation, LosesNothingSilently) {
  std::vector<Person> people(12);
  for (std::size_t i = 0; i < people.size(); ++i) come(people[i], "user" + std::to_string(i));
  for (int round = 0; round < 1'500; ++round) {
    step(people);
    some_mail();
    if (below(3) == 0) world_->pass(std::chrono::milliseconds{1 + below(30)});
    if (below(20) == 0) world_->settle();
    ASSERT_TRUE(world_->books_balance()) << "round " << round;
  }
  // Everyone wakes up and takes what there is.
  for (int i = 0; i < 20; ++i) {
    for (Person& person : people) {
      if (!person.online || person.client.wire->cut || person.client.wire->closed) continue;
      person.sleeps = false;
      world_->give_room(person.client, SIZE_MAX);
      take(person);
    }
    world_->settle_for(20ms);
  }
  for (Person& person : people) {
    if (!person.online || person.client.wire->cut || person.client.wire->closed) continue;
    for (const auto& [conversation, seen] : person.seen) {
      if (seen.accounted == 0) continue;
      EXPECT_EQ(seen.accounted, seen.greatest - seen.first + 1)
          << "neither delivered nor in a gap, or both: " << conversation.name;
    }
    world_->hang_up(person.client);
  }
  world_->settle();
  EXPECT_TRUE(world_->books_balance());
  EXPECT_EQ(world_->books().pending(), 0U);
  EXPECT_EQ(world_->ledger.process->stats().held, Bytes{});
  EXPECT_GT(world_->books().delivered, 1'000U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GatewaySimulation, ::testing::Range(1U, 101U));

}  // namespace
}  // namespace sluice::hub
