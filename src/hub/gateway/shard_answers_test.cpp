#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/world.hpp"

/// Each request of a client has one answer, whatever it sends in the same write.
namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::group;
using testing::user;
using testing::World;
using wire::hub::FromHub;
using wire::hub::Position;
using wire::hub::Reason;

enum class Ask : std::uint8_t {
  publish,
  publish_stored,
  publish_forbidden,
  request,
  request_of_nobody,
  join,
  join_from,
  join_forbidden,
  leave,
  pull,
  pull_of_inbox,
  who,
  refresh,
  refresh_of_another,
  ping,
};
constexpr std::size_t kAsks = 15;

/// What one client asked for, in order, and what it was told.
class Asking {
 public:
  Asking(World& world, World::Client& client) : world_(world), client_(client) {}

  void ask(Ask what) {
    ++asked_;
    switch (what) {
      case Ask::publish:
      case Ask::publish_stored:
      case Ask::publish_forbidden: {
        wire::hub::Publish more;
        if (what == Ask::publish_stored) more.level = wire::hub::Level::stored;
        published_.push_back(
            {.seq = world_.publish(client_, what == Ask::publish_forbidden ? group("forbidden") : group("g"),
                                   "m", more),
             .by_receipt = what != Ask::publish});
        return;
      }
      case Ask::request:
      case Ask::request_of_nobody:
        return world_.say(client_, wire::hub::Request{.seq = ++client_.seq,
                                                      .id = "q" + std::to_string(client_.seq),
                                                      .user = what == Ask::request ? "bob" : "nobody",
                                                      .timeout_ms = 1'000});
      case Ask::join:
        return about_g(wire::hub::Join{.group = "g"});
      case Ask::join_from:
        return about_g(wire::hub::Join{.group = "g", .from = Position{}});
      case Ask::join_forbidden:
        return world_.say(client_, wire::hub::Join{.group = "forbidden"});
      case Ask::leave:
        return about_g(wire::hub::Leave{.group = "g"});
      case Ask::pull:
        return world_.say(client_,
                          wire::hub::Pull{.conversation = group("g"), .epoch = World::kEpoch, .first = 1});
      case Ask::pull_of_inbox:
        return world_.say(client_,
                          wire::hub::Pull{.conversation = user("ann"), .epoch = World::kEpoch, .first = 1});
      case Ask::who:
        return about_g(wire::hub::Who{.group = "g"});
      case Ask::refresh:
        return world_.say(client_, wire::hub::Refresh{.token = "ann"});
      case Ask::refresh_of_another:
        return world_.say(client_, wire::hub::Refresh{.token = "bob"});
      case Ask::ping:
        return world_.say(client_, wire::hub::Ping{.nonce = asked_});
    }
  }

  /// Fails unless there is one answer for each, and those about group g are in the order of the requests.
  void check() {
    std::size_t answers = 0;
    std::vector<std::size_t> kinds;
    std::uint64_t covered = 0;
    for (const FromHub& message : client_.heard) {
      if (const auto* const ack = std::get_if<wire::hub::Ack>(&message)) covered = ack->seq;
      const auto* const left = std::get_if<wire::hub::Left>(&message);
      const bool by_itself = left != nullptr && left->reason != Reason::none;
      const bool is_answer = !std::holds_alternative<wire::hub::Ack>(message) &&
                             !std::holds_alternative<wire::hub::Delivery>(message) &&
                             !std::holds_alternative<wire::hub::Gap>(message) && !by_itself;
      if (is_answer) ++answers;
      const bool about_g = std::holds_alternative<wire::hub::Joined>(message) ||
                           std::holds_alternative<wire::hub::Left>(message) ||
                           std::holds_alternative<wire::hub::Members>(message);
      if (about_g && !by_itself) kinds.push_back(message.index());
    }
    for (const Published& one : published_) {
      EXPECT_GE(covered, one.seq) << "a publish without an answer";
      if (!one.by_receipt) ++answers;  // the acknowledgement is the answer
    }
    EXPECT_EQ(answers, asked_);
    // Errors about the group stand in for some of them: what is left is in order.
    auto next = about_.begin();
    for (const std::size_t kind : kinds) {
      next = std::find(next, about_.end(), kind);
      ASSERT_NE(next, about_.end()) << "answers about the group in another order than the requests";
      ++next;
    }
  }

 private:
  template <typename Message>
  void about_g(Message message) {
    about_.push_back(FromHub{Answer<Message>{}}.index());
    world_.say(client_, std::move(message));
  }
  template <typename Message>
  using Answer = std::conditional_t<
      std::is_same_v<Message, wire::hub::Join>, wire::hub::Joined,
      std::conditional_t<std::is_same_v<Message, wire::hub::Leave>, wire::hub::Left, wire::hub::Members>>;

  struct Published {
    std::uint64_t seq;
    bool by_receipt;
  };
  World& world_;
  World::Client& client_;
  std::size_t asked_ = 0;
  std::vector<Published> published_;
  std::vector<std::size_t> about_;
};

/// Ann, who may only use group g, and Bob on another shard, who answers requests.
struct Scene {
  Scene() {
    world.rights["ann"] = {.publish = {"g"}, .join = {"g"}, .users = {"*"}};
    ann = world.connect("ann");
    bob = world.connect("bob", 1);
    settle();
    ann.heard.clear();
  }

  void settle() {
    world.settle_for(50ms);
    world.read(ann);
    world.read(bob);
  }
  /// Bob answers everything that he was asked, and time passes for what nobody answers.
  void finish() {
    settle();
    for (const auto& delivery : bob.all<wire::hub::Delivery>()) {
      if (!delivery.request.empty()) world.say(bob, wire::hub::Reply{.request = delivery.request});
    }
    world.settle_for(1'200ms);
    world.read(ann);
  }

  World world{2};
  World::Client ann{};
  World::Client bob{};
};

class ShardAnswers : public ::testing::Test, protected Scene {};

struct Start {
  bool in_the_group;
};

void try_sequence(const std::vector<Ask>& sequence, Start start) {
  Scene scene;
  if (start.in_the_group) {
    scene.world.say(scene.ann, wire::hub::Join{.group = "g"});
    scene.settle();
    scene.ann.heard.clear();
  }
  Asking asking{scene.world, scene.ann};
  for (const Ask what : sequence) asking.ask(what);
  scene.finish();
  ASSERT_FALSE(scene.ann.wire->closed);
  asking.check();
  EXPECT_TRUE(scene.world.books_balance());
}

TEST(ShardAnswersTable, EachRequestOfAPairInOneWriteHasOneAnswer) {
  for (std::size_t first = 0; first < kAsks; ++first) {
    for (std::size_t second = 0; second < kAsks; ++second) {
      for (const bool in_the_group : {false, true}) {
        SCOPED_TRACE(::testing::Message() << first << ", " << second << ", in the group " << in_the_group);
        try_sequence({static_cast<Ask>(first), static_cast<Ask>(second)}, {.in_the_group = in_the_group});
      }
    }
  }
}

TEST(ShardAnswersTable, EachRequestOfSomeInOneWriteHasOneAnswer) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 300; ++round) {
    std::vector<Ask> sequence;
    const std::size_t size = 3 + random() % 4;
    while (sequence.size() < size) sequence.push_back(static_cast<Ask>(random() % kAsks));
    std::string trace;
    for (const Ask what : sequence) trace += std::to_string(static_cast<int>(what)) + " ";
    SCOPED_TRACE(trace);
    try_sequence(sequence, {.in_the_group = random() % 2 == 0});
  }
}

TEST_F(ShardAnswers, AJoinAndALeaveInOneWriteAreAnsweredInOrder) {
  world.say(ann, wire::hub::Join{.group = "g"});
  world.say(ann, wire::hub::Leave{.group = "g"});
  settle();
  EXPECT_THAT(ann.heard, ElementsAre(FromHub{wire::hub::Joined{
                                         .group = "g", .position = {.epoch = World::kEpoch}, .members = 1}},
                                     FromHub{wire::hub::Left{.group = "g"}}));
  world.publish(bob, group("g"), "nobody is there");
  settle();
  EXPECT_THAT(ann.texts(), ::testing::IsEmpty());
}

TEST_F(ShardAnswers, AJoinWhoseRightIsWithdrawnMeanwhileIsAnsweredInFrontOfTheLeft) {
  world.say(ann, wire::hub::Join{.group = "g"});
  world.rights["ann"] = {};
  world.say(ann, wire::hub::Refresh{.token = "ann"});
  settle();
  ASSERT_EQ(ann.all<wire::hub::Joined>().size(), 1U);
  const auto left = ann.all<wire::hub::Left>();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].reason, Reason::forbidden);
  EXPECT_TRUE(std::holds_alternative<wire::hub::Left>(ann.heard.back()));
}

TEST_F(ShardAnswers, AJoinThatTheHomeRefusesIsAnsweredThoughTheClientHasLeft) {
  world.log(0).unreadable = world.log(1).unreadable = true;
  world.say(ann, wire::hub::Join{.group = "g", .from = Position{}});
  world.say(ann, wire::hub::Leave{.group = "g"});
  settle();
  ASSERT_EQ(ann.heard.size(), 2U);
  const auto* const refusal = std::get_if<wire::hub::Refusal>(&ann.heard[0]);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->group, "g");
  EXPECT_EQ(refusal->reason, Reason::store_failed);
  EXPECT_TRUE(std::holds_alternative<wire::hub::Left>(ann.heard[1]));
}

TEST_F(ShardAnswers, NothingMoreIsReadFromAClientThatManyAnswersAreOpenFor) {
  for (std::size_t i = 0; i < limits::kGroupAnswers; ++i) {
    if (i % 2 == 0) {
      world.say(ann, wire::hub::Join{.group = "g"});
    } else {
      world.say(ann, wire::hub::Leave{.group = "g"});
    }
  }
  EXPECT_FALSE(ann.wire->reading);
  settle();
  EXPECT_TRUE(ann.wire->reading);
  EXPECT_EQ(ann.all<wire::hub::Joined>().size(), limits::kGroupAnswers / 2);
  EXPECT_EQ(ann.all<wire::hub::Left>().size(), limits::kGroupAnswers / 2);
}

}  // namespace
}  // namespace sluice::hub
