#include "peer/rendezvous/host.hpp"

#include <functional>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "client/testing/fake_hub.hpp"
#include "crypto/encoding.hpp"
#include "peer/rendezvous/client.hpp"
#include "peer/rendezvous/initiator.hpp"
#include "peer/rendezvous/introducer.hpp"
#include "peer/rendezvous/testing/fake_peers.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::rendezvous {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using client::testing::FakeHub;
using testing::FakePeers;

/// Everything that a host says, and the channels that it has given away.
class Heard final : public HostListener {
 public:
  void on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) override {
    ++waiting;
    last_code = code;
    expires = expires_in;
  }
  void on_code_burnt(const Error& reason) override {
    ++burnt;
    EXPECT_EQ(reason.code, Errc::wrong_code);
  }
  void on_progress(Progress at) override { progress.push_back(at); }
  std::optional<Error> rejection() override {
    if (!full) return std::nullopt;
    return Error{.code = Errc::busy, .message = "The host is full."};
  }
  void on_peer(std::unique_ptr<transport::Link> channel) override { channels.push_back(std::move(channel)); }
  void on_trouble(const Failure& failure) override { troubles.push_back(failure); }

  int waiting = 0;
  int burnt = 0;
  bool full = false;
  std::optional<crypto::Code> last_code;
  std::optional<Duration> expires;
  std::vector<Progress> progress;
  std::vector<std::unique_ptr<transport::Link>> channels;
  std::vector<Failure> troubles;
};

/// One shard with a hub, a host and as many clients as a test wants.
struct World {
  asio::io_context shard{1};
  FakeHub hub{shard.get_executor()};
  FakePeers peers{shard.get_executor()};
  runtime::TaskScope scope{shard.get_executor()};
  Heard heard;
  std::unique_ptr<HostRendezvous> host;
  std::optional<Failure> host_ended;
  std::vector<Outcome> outcomes;
  std::vector<Progress> progress;

  explicit World(HostSetup setup = {}) {
    setup.connect = hub.connector();
    setup.make_peer = peers.factory();
    host = std::make_unique<HostRendezvous>(std::move(setup), heard);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { end(); }

  void start_host() { scope.spawn(run_host()); }
  asio::awaitable<void> run_host() { host_ended = co_await host->run(); }

  void start_client(Credential credential, Duration limit = 10s) {
    scope.spawn(run_client({.connect = hub.connector(),
                            .make_peer = peers.factory(),
                            .credential = std::move(credential),
                            .on_progress = [this](Progress at) { progress.push_back(at); },
                            .limit = limit}));
  }
  asio::awaitable<void> run_client(ClientSetup setup) {
    Outcome outcome = co_await connect_as_client(std::move(setup));
    outcomes.push_back(std::move(outcome));
  }

  /// Runs until that is so. The limit is only for a test that fails.
  void run_until(const std::function<bool()>& done) {
    const TimePoint limit = Clock::now() + 20s;
    shard.restart();
    while (!done() && Clock::now() < limit) {
      if (shard.run_one_for(1s) == 0) shard.restart();
    }
    ASSERT_TRUE(done());
  }
  void wait_for_code(int how_many = 1) {
    run_until([&] { return heard.waiting >= how_many; });
  }
  void wait_for_outcomes(std::size_t how_many = 1) {
    run_until([&] { return outcomes.size() >= how_many; });
  }
  /// What a user does who mistypes the last word.
  [[nodiscard]] crypto::Code wrong_code() const {
    crypto::Code code = heard.last_code.value();
    ++code.words[2];
    return code;
  }
  void end() {
    scope.cancel();
    shard.restart();
    shard.run_for(20s);
    EXPECT_EQ(scope.size(), 0U);
  }
};

TEST(Rendezvous, RightCodeLinksTheTwoAndTheClientLeavesTheHub) {
  World world;
  world.start_host();
  world.wait_for_code();
  EXPECT_EQ(world.heard.last_code->mailbox, "7");
  EXPECT_EQ(world.heard.expires, 600s);
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  ASSERT_TRUE(world.outcomes[0]);
  world.run_until([&] { return world.heard.channels.size() == 1 && world.hub.connections() == 1; });
  EXPECT_EQ(world.peers.alive, 0);  // the channel lives on without the negotiation
  const std::vector<Progress> steps = {Progress::key_confirmed, Progress::connecting, Progress::connected};
  std::vector<Progress> at_host = {Progress::peer_joined};
  at_host.insert(at_host.end(), steps.begin(), steps.end());
  std::vector<Progress> at_client = {Progress::waiting};
  at_client.insert(at_client.end(), steps.begin(), steps.end());
  EXPECT_EQ(world.heard.progress, at_host);
  EXPECT_EQ(world.progress, at_client);
  EXPECT_EQ(world.host->stats().connected, 1U);
}

TEST(Rendezvous, OneCodeServesSeveralClientsOneAfterTheOther) {
  World world;
  world.start_host();
  world.wait_for_code();
  for (int i = 0; i < 3; ++i) world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes(3);
  for (const Outcome& outcome : world.outcomes) EXPECT_TRUE(outcome);
  world.run_until([&] { return world.heard.channels.size() == 3; });
  EXPECT_EQ(world.heard.waiting, 1);
}

TEST(Rendezvous, WrongCodeIsToldBurntAndReplaced) {
  World world;
  world.start_host();
  world.wait_for_code();
  const crypto::Code first = *world.heard.last_code;
  world.start_client(Credential::of(world.wrong_code()));
  world.wait_for_outcomes();
  ASSERT_FALSE(world.outcomes[0]);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::wrong_code);
  EXPECT_EQ(world.outcomes[0].error().phase, Phase::key);
  world.wait_for_code(2);
  EXPECT_EQ(world.heard.burnt, 1);
  EXPECT_EQ(world.hub.heard("burn"), 1);
  EXPECT_NE(world.heard.last_code->mailbox, first.mailbox);
  world.start_client(Credential::of(first));  // the right words, too late
  world.wait_for_outcomes(2);
  ASSERT_FALSE(world.outcomes[1]);
  EXPECT_EQ(world.outcomes[1].error().error.code, Errc::not_found);
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes(3);
  EXPECT_TRUE(world.outcomes[2]);
  EXPECT_EQ(world.host->stats().wrong_guesses, 1U);
}

/// A link to a hub that takes nothing any more once it is told to.
class FullLink final : public transport::Link {
 public:
  FullLink(std::unique_ptr<transport::Link> link, const bool& full) : link_(std::move(link)), full_(full) {}
  void listen(transport::LinkListener& listener) override { link_->listen(listener); }
  Status send(ByteView message) override {
    if (full_) return fail(Errc::limit_exceeded, "The hub does not read.");
    return link_->send(message);
  }
  void close() override { link_->close(); }
  [[nodiscard]] Bytes buffered_amount() const override { return link_->buffered_amount(); }
  void set_buffered_amount_low_threshold(Bytes) override {}
  [[nodiscard]] Bytes max_message_size() const override { return link_->max_message_size(); }
  [[nodiscard]] transport::LinkStats stats() const override { return link_->stats(); }
  [[nodiscard]] transport::Path path() const override { return link_->path(); }

 private:
  std::unique_ptr<transport::Link> link_;
  const bool& full_;
};

TEST(Rendezvous, WrongCodeIsBurntAlsoWhenTheHubNoLongerTakesTheRefusal) {
  bool full = false;
  World world;
  HostSetup setup{.connect = [&]() -> asio::awaitable<Result<std::unique_ptr<transport::Link>>> {
                    const auto connect = world.hub.connector();
                    auto link = co_await connect();
                    co_return std::make_unique<FullLink>(std::move(link).value(), full);
                  },
                  .make_peer = world.peers.factory()};
  world.host = std::make_unique<HostRendezvous>(std::move(setup), world.heard);
  world.hub.relay = [&](const FakeHub::Body& body) -> std::optional<std::string> {
    const auto type = crypto::from_base64(body.base64).value().front();
    if (body.to_host && type == std::byte{4}) full = true;  // CONFIRM, with a wrong tag
    return body.base64;
  };
  world.start_host();
  world.wait_for_code();
  world.start_client(Credential::of(world.wrong_code()));
  world.run_until([&] { return world.heard.burnt > 0 || world.host->stats().failed_before_key > 0; });
  full = false;
  EXPECT_EQ(world.heard.burnt, 1);
  EXPECT_EQ(world.host->stats().wrong_guesses, 1U);
  world.wait_for_code(2);
  EXPECT_EQ(world.hub.heard("burn"), 0);  // it was not taken either: the mailbox ended with its link
}

TEST(Rendezvous, KeyFileNeedsNoCodeAndAWrongKeyBurnsNothing) {
  const crypto::SharedKey key = crypto::SharedKey::random();
  World world{{.key = key.clone(), .pace = {.guess = {.first = 10ms}}}};
  world.start_host();
  world.wait_for_code();
  EXPECT_FALSE(world.heard.last_code || world.heard.expires);
  Credential wrong = Credential::of(crypto::SharedKey::random());
  wrong.mailbox = key.mailbox();
  world.start_client(std::move(wrong));
  world.wait_for_outcomes();
  ASSERT_FALSE(world.outcomes[0]);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::wrong_code);
  EXPECT_EQ(world.hub.heard("burn"), 0);
  EXPECT_EQ(world.heard.burnt, 0);
  world.run_until([&] { return world.heard.troubles.size() == 1; });
  EXPECT_EQ(world.host->stats().wrong_guesses, 1U);
  world.start_client(Credential::of(key));
  world.wait_for_outcomes(2);
  EXPECT_TRUE(world.outcomes[1]);
  EXPECT_EQ(world.heard.waiting, 1);  // the same mailbox all the time
}

TEST(Rendezvous, HostThatIsFullSaysSoBeforeAPathIsSoughtAndBurnsNothing) {
  World world;
  world.heard.full = true;
  world.start_host();
  world.wait_for_code();
  const crypto::Code code = *world.heard.last_code;
  world.start_client(Credential::of(code));
  world.wait_for_outcomes();
  ASSERT_FALSE(world.outcomes[0]);
  EXPECT_EQ(world.outcomes[0].error().phase, Phase::key);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::busy);
  EXPECT_EQ(world.outcomes[0].error().error.message, "The host is full.");
  EXPECT_LE(world.peers.made, 1);  // the client's own, before it heard
  EXPECT_EQ(world.heard.burnt, 0);
  // The same code lets the next one in once there is room.
  world.heard.full = false;
  world.start_client(Credential::of(code));
  world.wait_for_outcomes(2);
  EXPECT_TRUE(world.outcomes[1]);
  EXPECT_EQ(world.host->stats().turned_away, 1U);
  EXPECT_EQ(world.host->stats().failed_after_key, 0U);
}

TEST(Rendezvous, HostThatIsFullTellsNothingToAGuesserAndStillBurnsTheCode) {
  World world;
  world.heard.full = true;
  world.start_host();
  world.wait_for_code();
  world.start_client(Credential::of(world.wrong_code()));
  world.wait_for_outcomes();
  ASSERT_FALSE(world.outcomes[0]);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::wrong_code);
  EXPECT_EQ(world.heard.burnt, 1);
}

TEST(Rendezvous, ExpiredCodeIsReplacedAtOnce) {
  World world{{.pace = {.settled = 0s}}};
  world.start_host();
  world.wait_for_code();
  const crypto::Code first = *world.heard.last_code;
  world.hub.expire_all();
  world.wait_for_code(2);
  EXPECT_NE(world.heard.last_code->mailbox, first.mailbox);
  EXPECT_TRUE(world.heard.troubles.empty());
  EXPECT_EQ(world.host->stats().codes_expired, 1U);
}

TEST(Rendezvous, HubThatEndsMailboxesAsItOpensThemIsSoughtLaterAndLater) {
  World world{{.pace = {.hub = {.first = 1000h, .longest = 1000h}}}};
  world.start_host();
  world.wait_for_code();
  world.hub.expire_all();
  world.run_until([&] { return !world.heard.troubles.empty() || world.heard.waiting > 1; });
  EXPECT_EQ(world.heard.waiting, 1);
  ASSERT_EQ(world.heard.troubles.size(), 1U);
  EXPECT_EQ(world.heard.troubles[0].phase, Phase::hub);
  EXPECT_EQ(world.heard.troubles[0].error.code, Errc::protocol_violation);
  EXPECT_EQ(world.host->stats().hub_failures, 1U);
  EXPECT_EQ(world.host->stats().codes_expired, 0U);
  world.shard.restart();
  world.shard.poll();
  EXPECT_EQ(world.heard.waiting, 1);  // it pauses
}

TEST(Rendezvous, LostHubIsSoughtAgain) {
  World world{{.pace = {.hub = {.first = 1ms}}}};
  world.start_host();
  world.wait_for_code();
  world.hub.cut_all();
  world.wait_for_code(2);
  ASSERT_GE(world.heard.troubles.size(), 1U);
  EXPECT_EQ(world.heard.troubles[0].phase, Phase::hub);
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  EXPECT_TRUE(world.outcomes[0]);
}

TEST(Rendezvous, HostSaysSoWhenThereIsNoHubAtFirst) {
  World world;
  world.hub.reachable = false;
  world.start_host();
  world.run_until([&] { return world.host_ended.has_value(); });
  EXPECT_EQ(world.host_ended->phase, Phase::hub);
  EXPECT_EQ(world.host_ended->error.code, Errc::unreachable);
}

TEST(Rendezvous, HostWithAKeyWaitsForAHubThatIsNotThereYet) {
  World world{{.key = crypto::SharedKey::random(), .pace = {.hub = {.first = 1ms, .longest = 1ms}}}};
  world.hub.reachable = false;
  world.start_host();
  world.run_until([&] { return world.heard.troubles.size() >= 3; });
  EXPECT_FALSE(world.host_ended);
  EXPECT_EQ(world.heard.troubles[0].phase, Phase::hub);
  EXPECT_EQ(world.heard.troubles[0].error.code, Errc::unreachable);
  world.hub.reachable = true;
  world.wait_for_code();
}

class HubThatChanged : public ::testing::TestWithParam<Errc> {};

TEST_P(HubThatChanged, EndsTheHostWhenWaitingDoesNotMendIt) {
  World world{{.key = crypto::SharedKey::random(), .pace = {.hub = {.first = 1ms, .longest = 1ms}}}};
  world.start_host();
  world.wait_for_code();
  world.hub.reachable = false;
  world.hub.why_not = GetParam();
  world.hub.cut_all();
  world.run_until([&] { return world.host_ended.has_value() || world.host->stats().hub_failures > 3; });
  ASSERT_TRUE(world.host_ended);
  EXPECT_EQ(world.host_ended->phase, Phase::hub);
  EXPECT_EQ(world.host_ended->error.code, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Reasons, HubThatChanged,
                         ::testing::Values(Errc::permission_denied, Errc::invalid_argument));

TEST(Rendezvous, HubThatIsAwayIsSoughtForAsLongAsItTakes) {
  World world{{.key = crypto::SharedKey::random(), .pace = {.hub = {.first = 1ms, .longest = 1ms}}}};
  world.start_host();
  world.wait_for_code();
  world.hub.reachable = false;
  world.hub.cut_all();
  world.run_until([&] { return world.host->stats().hub_failures >= 5; });
  EXPECT_FALSE(world.host_ended);
  world.hub.reachable = true;
  world.wait_for_code(2);
}

TEST(Rendezvous, SecondHostWithTheSameKeyIsToldSoAndHasItsTurnOnceTheFirstHasGone) {
  const crypto::SharedKey key = crypto::SharedKey::random();
  World world{{.key = key.clone()}};
  world.start_host();
  world.wait_for_code();
  HostSetup setup{.connect = world.hub.connector(),
                  .make_peer = world.peers.factory(),
                  .key = key.clone(),
                  .pace = {.hub = {.first = 1ms, .longest = 1ms}}};
  Heard second_heard;
  HostRendezvous second{std::move(setup), second_heard};
  const auto run = [&]() -> asio::awaitable<void> { (void)co_await second.run(); };
  runtime::TaskScope seconds{world.shard.get_executor()};
  seconds.spawn(run());
  world.run_until([&] { return second_heard.troubles.size() >= 2; });
  EXPECT_EQ(second_heard.troubles[0].phase, Phase::key);
  EXPECT_EQ(second_heard.troubles[0].error.code, Errc::busy);
  EXPECT_EQ(second_heard.waiting, 0);
  world.scope.cancel();
  world.run_until([&] { return second_heard.waiting == 1; });
  seconds.cancel();
  world.run_until([&] { return seconds.size() == 0; });
}

TEST(Rendezvous, ClientSaysWhichPartFailed) {
  World world;
  world.start_client(Credential::of(crypto::Code::random("99")));
  world.wait_for_outcomes();
  EXPECT_EQ(world.outcomes[0].error().phase, Phase::key);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::not_found);
  world.hub.reachable = false;
  world.start_client(Credential::of(crypto::Code::random("99")));
  world.wait_for_outcomes(2);
  EXPECT_EQ(world.outcomes[1].error().phase, Phase::hub);
}

TEST(Rendezvous, HostThatDoesNotGreetTimesOut) {
  World world;
  world.start_host();
  world.wait_for_code();
  world.hub.relay = [](const FakeHub::Body&) { return std::nullopt; };
  world.start_client(Credential::of(*world.heard.last_code), 50ms);
  world.wait_for_outcomes();
  EXPECT_EQ(world.outcomes[0].error().phase, Phase::key);
  EXPECT_EQ(world.outcomes[0].error().error.code, Errc::timed_out);
}

class PeerFault : public ::testing::TestWithParam<FakePeers::Fault> {};

TEST_P(PeerFault, ReachesBothSidesAndFreesThePlace) {
  World world{{.introduction_limit = 300ms}};
  world.start_host();
  world.wait_for_code();
  world.peers.fault = GetParam();
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  ASSERT_FALSE(world.outcomes[0]);
  EXPECT_EQ(world.outcomes[0].error().phase, Phase::path);
  world.run_until([&] { return world.heard.troubles.size() == 1 && world.peers.alive == 0; });
  EXPECT_EQ(world.heard.troubles[0].phase, Phase::path);
  EXPECT_EQ(world.host->stats().failed_after_key, 1U);
  EXPECT_TRUE(world.heard.channels.empty());
  world.peers.fault = FakePeers::Fault::none;
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes(2);
  EXPECT_TRUE(world.outcomes[1]);
}

INSTANTIATE_TEST_SUITE_P(Faults, PeerFault,
                         ::testing::Values(FakePeers::Fault::no_offer, FakePeers::Fault::no_answer,
                                           FakePeers::Fault::bad_answer, FakePeers::Fault::no_path,
                                           FakePeers::Fault::silence));

TEST(Rendezvous, ReasonOfTheSideThatGaveUpReachesTheOther) {
  World world;
  world.start_host();
  world.wait_for_code();
  world.peers.fault = FakePeers::Fault::no_offer;
  world.start_client(Credential::of(*world.heard.last_code));
  world.run_until([&] { return world.heard.troubles.size() == 1; });
  EXPECT_NE(world.heard.troubles[0].error.message.find("no sockets left"), std::string::npos);
}

TEST(Rendezvous, HostWaitsForItsChannelWhenTheClientHasItsOwnAndLeft) {
  World world;
  world.start_host();
  world.wait_for_code();
  world.peers.fault = FakePeers::Fault::late_host;
  world.start_client(Credential::of(*world.heard.last_code));
  world.run_until([&] { return world.outcomes.size() == 1 && world.hub.connections() == 1; });
  EXPECT_TRUE(world.heard.channels.empty());
  world.hub.cut_all();  // not even the hub is needed any more
  world.shard.restart();
  world.shard.poll();
  world.peers.open_late();
  world.run_until([&] { return world.heard.channels.size() == 1; });
}

/// Somebody who is in the mailbox and does not leave.
struct RudeVisitor {
  explicit RudeVisitor(World& in) : world(in) {}
  asio::awaitable<void> join() {
    const auto connect = world.hub.connector();
    auto link = co_await connect();
    mailbox = std::make_unique<client::MailboxClient>(world.shard.get_executor(), std::move(link).value());
    const std::string number = world.heard.last_code->mailbox;
    auto joined = co_await mailbox->join(number, Clock::now() + 10s);
    EXPECT_TRUE(joined);
  }
  asio::awaitable<void> say_nonsense() {
    co_await join();
    EXPECT_TRUE(mailbox->send(client::Relay{.body = as_bytes("nonsense"), .visit = std::nullopt}));
  }
  asio::awaitable<void> connect_and_stay() {
    co_await join();
    Initiator initiator{{.mailbox = world.heard.last_code->mailbox,
                         .password = world.heard.last_code->password(),
                         .entropy = Entropy::random()}};
    const auto factory = world.peers.factory();
    Introducer introducer{{.mailbox = *mailbox,
                           .introduction = initiator,
                           .make_peer = factory,
                           .on_progress = {},
                           .visit = {}}};
    auto outcome = co_await introducer.run();
    EXPECT_TRUE(outcome);
  }
  World& world;
  std::unique_ptr<client::MailboxClient> mailbox;
};

TEST(Rendezvous, VisitorWhoFailedIsSentOffAtOnce) {
  World world;
  world.start_host();
  world.wait_for_code();
  RudeVisitor rude{world};
  world.scope.spawn(rude.say_nonsense());
  world.run_until([&] { return world.heard.troubles.size() == 1; });
  EXPECT_EQ(world.host->stats().failed_before_key, 1U);
  EXPECT_EQ(world.heard.burnt, 0);
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  EXPECT_TRUE(world.outcomes[0]);
}

TEST(Rendezvous, ConnectedVisitorWhoStaysIsSentOffAfterAGrace) {
  World world{{.visitor_grace = 20ms}};
  world.start_host();
  world.wait_for_code();
  RudeVisitor rude{world};
  world.scope.spawn(rude.connect_and_stay());
  world.run_until([&] { return world.heard.channels.size() == 1; });
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  EXPECT_TRUE(world.outcomes[0]);
  EXPECT_EQ(world.hub.heard("release"), 1);
}

TEST(Rendezvous, MoreLocalCandidatesThanTheOtherSideTakesAreNotSent) {
  World world;
  world.peers.candidates = 200;
  world.start_host();
  world.wait_for_code();
  world.start_client(Credential::of(*world.heard.last_code));
  world.wait_for_outcomes();
  EXPECT_TRUE(world.outcomes[0]);
}

TEST(Rendezvous, HostileHubThatAltersAnyMessageMakesNoChannel) {
  for (int target = 0; target < 9; ++target) {
    SCOPED_TRACE(target);
    World world{{.confirmation_limit = 300ms, .introduction_limit = 300ms}};
    world.start_host();
    world.wait_for_code();
    int index = 0;
    world.hub.relay = [&](const FakeHub::Body& body) -> std::optional<std::string> {
      if (index++ != target) return body.base64;
      ByteBuffer bytes = crypto::from_base64(body.base64).value();
      bytes.back() ^= std::byte{1};
      return crypto::to_base64(bytes);
    };
    world.start_client(Credential::of(*world.heard.last_code), 1s);
    world.wait_for_outcomes();
    EXPECT_FALSE(world.outcomes[0]);
    EXPECT_TRUE(world.heard.channels.empty());
    EXPECT_EQ(world.peers.opened, 0);
  }
}

/// Runs a whole introduction a turn of the shard at a time and does something to it after so many of them.
void interrupt_at_each_turn(const std::function<void(World&)>& interrupt) {
  for (int turns = 0;; ++turns) {
    SCOPED_TRACE(turns);
    World world{{.visitor_grace = 0s, .pace = {.hub = {.first = 1ms, .longest = 1ms}}}};
    world.start_host();
    world.wait_for_code();
    world.start_client(Credential::of(*world.heard.last_code), 500ms);
    world.shard.restart();
    for (int i = 0; i < turns && world.outcomes.empty(); ++i) {
      if (world.shard.poll_one() == 0) break;
    }
    const bool was_done = !world.outcomes.empty();
    interrupt(world);
    if (::testing::Test::HasFailure() || was_done) return;
    ASSERT_LT(turns, 2000);
  }
}

TEST(Rendezvous, CancellationAtEachTurnFreesEverything) {
  interrupt_at_each_turn([](World& world) {
    world.end();
    EXPECT_EQ(world.hub.connections(), 0U);
    EXPECT_EQ(world.peers.alive, 0);
  });
}

TEST(Rendezvous, HubLostAtEachTurnEndsTheClientAndTheHostGoesOn) {
  interrupt_at_each_turn([](World& world) {
    world.hub.cut_all();
    world.wait_for_outcomes();
    if (!world.outcomes[0]) {
      EXPECT_NE(world.outcomes[0].error().error.code, Errc::wrong_code);
    }
    world.wait_for_code(2);
    EXPECT_EQ(world.heard.burnt, 0);
  });
}

}  // namespace
}  // namespace sluice::rendezvous
