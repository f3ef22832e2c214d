#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hub/gateway/shard.hpp"
#include "hub/gateway/testing/listener.hpp"
#include "hub/gateway/testing/world.hpp"

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using testing::group;
using testing::Listener;
using testing::user;
using testing::World;
using wire::hub::Conversation;
using wire::hub::Delivery;
using wire::hub::Gap;
using wire::hub::Level;
using wire::hub::Position;
using wire::hub::Receipt;

constexpr std::size_t kShards = 3;
constexpr std::size_t kUsers = 10;
constexpr std::size_t kPeople = kUsers + 2;
const std::array<std::string, 4> kGroups{"calls", "prices", "news", "talk"};
const Conversation kAll{.kind = Conversation::Kind::all};

/// One client's program, over all its connections.
struct Person {
  std::string name{};
  World::Client client{};
  Listener listener{};
  std::string session_token{};
  std::map<std::uint64_t, wire::hub::Publish> unanswered{};  ///< By seq of this connection.
  std::set<std::string> joining{};
  std::string leaving{};
  bool is_alone = true;  ///< No other has the same name.
  bool acknowledges = false;
  bool sleeps = false;  ///< Takes nothing.
  bool online = false;
  bool welcome = false;  ///< It may speak.
  std::size_t looked_at = 0;
  std::uint64_t epoch = 0;      ///< Of the hub that it was connected to last.
  bool is_known_there = false;  ///< Its session is.
  bool lacks_a_group = false;   ///< The hub could not read the log of one that it goes on in.
  /// Critical messages that wait for it, and normal ones that came before them since it takes any.
  std::uint64_t calls_waiting_to = 0;
  std::uint64_t overtakers = 0;
};

/// A hub with clients of every speed that come, go, publish, stall, are cut, resume and pull, and disks that
/// fail for a while, in an order that the seed decides.
class GatewaySimulation : public ::testing::TestWithParam<unsigned> {
 protected:
  GatewaySimulation() : random_(GetParam()) {
    settings_.routes = {{.match = "group:calls", .urgency = flow::Urgency::critical},
                        {.match = "group:prices", .policy = flow::DropPolicy::conflate, .stored = false},
                        {.match = "group:news", .policy = flow::DropPolicy::newest},
                        {.match = "group:talk"}};
    settings_.receiver.outbox = {.marks = {.low = 2'000_B, .high = 4'000_B}, .hard = 40'000_B};
    settings_.receiver.window = 6'000_B;
    settings_.fanout_slice = 3;
    settings_.memory = 25'000_B;
    world_ = std::make_unique<World>(kShards, settings_);
    people_.resize(kPeople);
    for (std::size_t i = 0; i < kPeople; ++i) {
      people_[i].name = "user" + std::to_string(i % kUsers);
      people_[i].is_alone = i >= kPeople - kUsers && i < kUsers;
      come(people_[i]);
    }
    world_->settle();
    for (Person& person : people_) take(person);
  }

  std::size_t below(std::size_t n) { return random_() % n; }

  // --- coming and going ---

  /// With the session that it had, and from where it was.
  void come(Person& person) {
    wire::hub::Hello hello{.acknowledges = below(2) == 0};
    std::set<Conversation> unnamed{kAll};
    if (!person.session_token.empty()) {
      hello.resume = wire::hub::Resume{.session_token = person.session_token};
      // Who acknowledges may leave it to the hub to know where the inbox goes on, unless it may have lost it.
      const bool same_run = person.epoch == world_->epoch();
      if (same_run && person.acknowledges && person.is_alone && below(3) == 0)
        unnamed.insert(user(person.name));
      if (!same_run) person.listener.forget(kAll);  // nothing of it is replayed
      for (const auto& [conversation, known] : person.listener.known()) {
        if (!unnamed.contains(conversation))
          hello.resume->positions.push_back({.conversation = conversation, .position = known.position});
      }
    }
    person.acknowledges = hello.acknowledges;
    person.sleeps = false;
    person.online = true;
    person.welcome = false;
    person.looked_at = 0;
    person.joining.clear();
    person.leaving.clear();
    person.lacks_a_group = false;
    person.epoch = world_->epoch();
    person.is_known_there = !person.session_token.empty() && person.session_token.ends_with(signature_);
    person.listener.reconnect(unnamed);
    person.client = world_->connect(person.name, below(kShards), std::move(hello));
  }

  /// Of what was on its way when it was cut, some may have come.
  void notice_end(Person& person) {
    const testing::Wire& wire = *person.client.wire;
    if (!person.online || (!wire.cut && !wire.closed && !person.lacks_a_group)) return;
    if (wire.closed || below(2) == 0) look(person);
    if (!wire.cut) world_->hang_up(person.client);
    person.online = false;
  }

  // --- what it does ---

  void step() {
    Person& person = people_[below(people_.size())];
    notice_end(person);
    if (!person.online) {
      if (below(4) == 0) come(person);
      return;
    }
    if (!person.welcome) return take(person);
    if (below(50) == 0) return come(person);  // the hub has not noticed yet that it was gone
    if (person.sleeps && below(6) != 0) return;
    const std::string& where = kGroups[below(kGroups.size())];
    switch (below(12)) {
      case 0:
        join(person, where);
        break;
      case 1:
        if (below(4) == 0) leave(person, where);
        break;
      case 2:
        person.sleeps = below(3) == 0;
        if (person.sleeps) world_->give_room(person.client, below(3'000));
        break;
      case 3:
        if (below(10) != 0) break;
        look(person);
        world_->hang_up(person.client);
        person.online = false;
        return;
      case 4:
        publish(person, user(people_[below(people_.size())].name), std::string(below(500), 'u'));
        break;
      case 5:
        if (below(5) == 0) publish(person, kAll, std::string("to all"));
        break;
      default:
        publish(person, group(where), std::string(below(700), 'g'));
    }
    if (!person.sleeps) take(person);
  }

  void publish(Person& person, const Conversation& to, std::string text) {
    publish(person, {.id = std::to_string(++last_id_),
                     .to = to,
                     .content = {.kind = wire::hub::Content::Kind::text, .bytes = std::move(text)},
                     .level = static_cast<Level>(below(3)),
                     .key = to == group("prices") ? std::string(1, static_cast<char>('a' + below(3))) : ""});
  }
  void publish(Person& person, wire::hub::Publish what) {
    what.seq = ++person.client.seq;
    person.unanswered[what.seq] = what;
    world_->say(person.client, std::move(what));
  }
  /// What an earlier connection had no answer to.
  void publish_again(Person& person) {
    for (auto& [seq, what] : std::exchange(person.unanswered, {})) publish(person, std::move(what));
  }
  void join(Person& person, const std::string& name) {
    if (person.listener.known().contains(group(name)) || !person.joining.insert(name).second) return;
    world_->say(person.client, wire::hub::Join{.group = name});
  }
  void leave(Person& person, const std::string& name) {
    // What it has pulled would be given up.
    if (!person.leaving.empty() || person.listener.pulls() || person.joining.contains(name) ||
        !person.listener.known().contains(group(name)))
      return;
    person.leaving = name;
    world_->say(person.client, wire::hub::Leave{.group = name});
  }

  /// It takes what has come, makes room for more, and says what is to be said.
  void take(Person& person) {
    World::Client& client = person.client;
    look(person);
    note_waiting_calls(person);
    world_->give_room(client, below(2) == 0 ? SIZE_MAX : 500 + below(4'000));
    look(person);
    person.calls_waiting_to = 0;
    if (client.wire->cut || client.wire->closed || !person.welcome) return;
    if (person.acknowledges && below(4) != 0) world_->ack(client);
    if (below(3) != 0 || !person.leaving.empty() || !person.joining.empty()) return;
    if (const auto pull = person.listener.next_pull()) world_->say(client, *pull);
  }

  /// What is ahead of all normal messages when it makes room.
  void note_waiting_calls(Person& person) {
    person.calls_waiting_to = 0;
    person.overtakers = 0;
    const Connection* const connection = world_->shard(person.client.ref.shard).find(person.client.ref);
    if (connection == nullptr) return;
    const auto calls = connection->interests.find(group("calls"));
    if (calls != connection->interests.end() && calls->second->subscription.live)
      person.calls_waiting_to = calls->second->subscription.last;
  }

  // --- what it hears ---

  void look(Person& person) {
    World::Client& client = person.client;
    world_->read(client);
    for (; person.looked_at < client.heard.size(); ++person.looked_at)
      look_at(person, client.heard[person.looked_at]);
  }

  void look_at(Person& person, const wire::hub::FromHub& message) {
    person.listener.hear(message);
    if (const auto* const delivery = std::get_if<Delivery>(&message)) {
      check_urgency(person, *delivery);
    } else if (const auto* const gap = std::get_if<Gap>(&message)) {
      EXPECT_TRUE(gap->gone || gap->conversation != group("calls")) << "critical messages are never dropped";
    } else if (const auto* const welcome = std::get_if<wire::hub::Welcome>(&message)) {
      person.welcome = true;
      EXPECT_EQ(welcome->resumed, person.is_known_there);
      resumed_ += welcome->resumed ? 1 : 0;
      if (!welcome->resumed) join_again(person);
      person.session_token = welcome->session_token;
      publish_again(person);
    } else if (const auto* const ack = std::get_if<wire::hub::Ack>(&message)) {
      person.unanswered.erase(person.unanswered.begin(), person.unanswered.upper_bound(ack->seq));
    } else if (const auto* const receipt = std::get_if<Receipt>(&message)) {
      person.unanswered.erase(receipt->seq);
      // What an earlier run has said may have gone with its store.
      if (receipt->level >= Level::stored && person.epoch == world_->epoch()) stored_.insert(receipt->id);
    } else if (const auto* const refusal = std::get_if<wire::hub::Refusal>(&message)) {
      const bool wanted = person.listener.known().contains(group(refusal->group));
      if (refusal->reason == wire::hub::Reason::store_failed && wanted) person.lacks_a_group = true;
    } else if (const auto* const left = std::get_if<wire::hub::Left>(&message)) {
      EXPECT_EQ(person.leaving, left->group);
      come_back(person);
    } else if (const auto* const joined = std::get_if<wire::hub::Joined>(&message)) {
      person.joining.erase(joined->group);
    }
  }

  void check_urgency(Person& person, const Delivery& delivery) {
    if (delivery.to == group("talk")) return;  // its route changes
    EXPECT_EQ(delivery.critical, delivery.to == group("calls"));
    const auto calls = person.listener.known().find(group("calls"));
    const bool waits =
        calls != person.listener.known().end() && calls->second.position.offset < person.calls_waiting_to;
    if (waits && !delivery.critical && !delivery.replayed) ++person.overtakers;
    EXPECT_LE(person.overtakers, 1U) << "but for one that was on its way";
  }

  /// The hub does not know the session, and so not the groups either.
  void join_again(Person& person) {
    for (const auto& [conversation, known] : person.listener.known()) {
      if (conversation.kind != Conversation::Kind::group) continue;
      person.joining.insert(conversation.name);
      world_->say(person.client, wire::hub::Join{.group = conversation.name, .from = known.position});
    }
  }

  /// It has left, and either does not care any more or wants to know all the same what it missed.
  void come_back(Person& person) {
    const std::string name = std::exchange(person.leaving, {});
    if (below(2) == 0) {
      person.listener.forget(group(name));
      return;
    }
    person.joining.insert(name);
    world_->say(person.client,
                wire::hub::Join{.group = name, .from = person.listener.known().at(group(name)).position});
  }

  // --- what happens to the hub ---

  /// Lets mail between shards arrive in an order of its own.
  void some_mail() {
    for (std::size_t i = 0; i < 1 + below(30); ++i) (void)world_->deliver_one(below(world_->queues()));
    for (std::size_t i = 0; i < kShards; ++i) (void)world_->shard(i).work(world_->now);
  }

  /// A disk fails, is full, or slow; an operator changes his mind about a route; or all is well again.
  void some_trouble() {
    if (below(60) != 0) return;
    testing::MemoryLog& log = world_->log(below(kShards));
    switch (below(7)) {
      case 0:
        log.broken = true;
        break;
      case 1:
        log.most_waiting = below(3);
        break;
      case 2:
        world_->commits = false;
        break;
      case 3: {
        auto& urgency = settings_.routes.back().urgency;
        urgency = urgency == flow::Urgency::normal ? flow::Urgency::critical : flow::Urgency::normal;
        for (std::size_t i = 0; i < kShards; ++i) world_->shard(i).set_settings(settings_, world_->now);
        break;
      }
      default:
        mend();
    }
  }
  void mend() {
    world_->commits = true;
    for (std::size_t i = 0; i < kShards; ++i) {
      world_->log(i).broken = false;
      world_->log(i).most_waiting = 10'000;
    }
  }

  /// The hub is killed, and starts again with what it had stored, with a backup of that, or with nothing.
  void some_restart() {
    if (below(40) == 0) backup_ = world_->disks();
    if (below(100) != 0) return;
    mend();
    if (below(3) == 0) world_->settle();  // everything is stored
    World::Restart with{.epoch = world_->epoch() + 1 + below(3), .disks = world_->disks()};
    const std::size_t how = below(6);
    if (how == 0) {
      with.disks.assign(kShards, {});
      with.secrets = World::Restart::Secrets::lost;
      backup_.clear();
    } else if (how < 3 && !backup_.empty()) {
      with.disks = backup_;
    }
    std::set<std::string> kept;
    for (const testing::Disk& disk : with.disks) {
      for (const auto& [of, log] : disk.logs) {
        for (const LoggedMessage& message : log) kept.insert(message.delivery.id);
      }
    }
    std::erase_if(stored_, [&](const std::string& id) { return !kept.contains(id); });
    if (with.secrets == World::Restart::Secrets::lost) signature_ = fmt::format("#{}", with.epoch);
    world_->restart(std::move(with));
    for (std::size_t i = 0; i < kShards; ++i) world_->shard(i).set_settings(settings_, world_->now);
    ++restarts_;
  }

  void check_bounds() {
    for (std::size_t i = 0; i < kShards; ++i) {
      world_->shard(i).each_connection([&](const Connection& connection) {
        if (!connection.receiver) return;
        EXPECT_LE(connection.receiver->waiting(), settings_.receiver.outbox.hard);
        EXPECT_LE(connection.receiver->unacknowledged(), settings_.receiver.window + 800_B);
      });
    }
    // What was accepted while there was room still goes to everyone, and pages that were asked for then are
    // charged for the longest names that they may have.
    EXPECT_LE(world_->ledger.process->stats().held, settings_.memory * 5 + limits::kEnvelopeNames * 8);
  }

  /// Nothing is wrong any more: everyone comes, takes and pulls until there is nothing left to do.
  void calm_down() {
    mend();
    for (int i = 0; i < 60; ++i) {
      for (Person& person : people_) {
        notice_end(person);
        if (!person.online) come(person);
        person.sleeps = false;
        world_->give_room(person.client, SIZE_MAX);
        take(person);
        if (person.acknowledges && person.welcome && !person.client.wire->cut && !person.client.wire->closed)
          world_->ack(person.client);
      }
      world_->settle_for(20ms);
    }
  }

  /// Everyone who listens has each message, or was told that it is gone, and then it is.
  void check_all_of(const Conversation& of, std::set<std::string>& logged_ids) {
    const LogPage log = world_->log(Shard::home_of(of, kShards))
                            .page(of, {}, {.messages = SIZE_MAX, .bytes = Bytes::max()})
                            .value();
    std::map<std::uint64_t, std::string> logged;  // ids by offset
    for (const LoggedMessage& message : log.messages) {
      logged.emplace(message.delivery.position.offset, message.delivery.id);
      // A log in memory does not remember ids over a restart.
      EXPECT_TRUE(logged_ids.insert(message.delivery.id).second || restarts_ > 0)
          << message.delivery.id << " was stored twice";
    }
    EXPECT_EQ(logged.empty(), of == group("prices"));
    for (const Person& person : people_) {
      const auto found = person.listener.known().find(of);
      if (found == person.listener.known().end()) continue;
      const Listener::Known& known = found->second;
      SCOPED_TRACE(fmt::format("{} of '{}'", person.name, of.name));
      EXPECT_EQ(known.position.offset, logged.empty() ? known.position.offset : logged.rbegin()->first);
      EXPECT_TRUE(known.missing.empty()) << "it pulls for ever";
      for (std::uint64_t offset = known.begin + 1; offset <= known.position.offset; ++offset) {
        EXPECT_TRUE(known.knows(offset)) << offset << " was lost";
        EXPECT_FALSE(known.gone.contains(offset) && logged.contains(offset)) << offset << " is not gone";
        const auto received = known.received.find(offset);
        const auto kept = logged.find(offset);
        if (received != known.received.end() && kept != logged.end()) {
          EXPECT_EQ(received->second, kept->second) << offset << " is another message";
        }
      }
    }
  }

  std::mt19937 random_;
  GatewaySettings settings_;
  std::unique_ptr<World> world_;
  std::vector<Person> people_;
  std::uint64_t last_id_ = 0;
  std::set<std::string> stored_{};  ///< Ids of which somebody was told that they are.
  std::uint64_t resumed_ = 0;
  std::uint64_t restarts_ = 0;
  std::uint64_t histories_ = 0;  ///< How often somebody was told that it is another one.
  std::string signature_;        ///< That the hub knows sessions by.
  std::vector<testing::Disk> backup_;

  enum class Hub : std::uint8_t { runs_on, restarts };
  void run(Hub hub);
};

void GatewaySimulation::run(Hub hub) {
  for (int round = 0; round < 1'500; ++round) {
    step();
    some_mail();
    some_trouble();
    if (hub == Hub::restarts) some_restart();
    if (below(3) == 0) world_->pass(std::chrono::milliseconds{1 + below(40)});
    if (below(20) == 0) world_->settle();
    ASSERT_TRUE(world_->books_balance()) << "round " << round;
    check_bounds();
    if (HasFailure()) return;
  }
  calm_down();
  // A last one for each, so that all hear of those before it.
  std::set<Conversation> all{kAll};
  for (const std::string& name : kGroups) all.insert(group(name));
  for (const Person& person : people_) all.insert(user(person.name));
  for (const Conversation& to : all) publish(people_.front(), to, "the last");
  calm_down();

  std::set<std::string> logged;
  for (const Conversation& of : all) check_all_of(of, logged);
  for (const std::string& id : stored_) EXPECT_TRUE(logged.contains(id)) << id << " was said to be stored";
  std::uint64_t pulled = 0;
  for (Person& person : people_) {
    histories_ += person.listener.histories();
    EXPECT_TRUE(person.unanswered.empty()) << person.name;
    for (const std::string& complaint : person.listener.complaints())
      ADD_FAILURE() << person.name << ": " << complaint;
    pulled += person.listener.pulled();
    world_->hang_up(person.client);
  }
  world_->settle();
  EXPECT_TRUE(world_->books_balance());
  EXPECT_EQ(world_->books().pending(), 0U);
  EXPECT_EQ(world_->ledger.process->stats().held, Bytes{});
  EXPECT_GT(resumed_, 0U);
  EXPECT_TRUE(pulled > 0 || hub == Hub::restarts);
}

TEST_P(GatewaySimulation, LosesNothingSilently) {
  run(Hub::runs_on);
  EXPECT_GT(world_->books().delivered, 200U) << "it is no test where nothing happens";
  EXPECT_EQ(histories_, 0U) << "it is one history";
}

TEST_P(GatewaySimulation, LosesNothingSilentlyOverRestartsWithStoresThatAreKeptRestoredAndLost) {
  run(Hub::restarts);
  EXPECT_GT(restarts_, 0U);
  EXPECT_GT(histories_, 0U) << "it is no test where nothing happens";
}

INSTANTIATE_TEST_SUITE_P(Seeds, GatewaySimulation, ::testing::Range(1U, 121U));

}  // namespace
}  // namespace sluice::hub
