#include "client/messaging/hub_client.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "core/byte_io.hpp"
#include "runtime/task_scope.hpp"
#include "wire/hub/codec.hpp"

namespace sluice::messaging {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace wire::hub;
using namespace literals;

/// The hub's half of one connection in memory. Frames are a length of four bytes and an envelope.
struct Wire {
  transport::MessageSocketListener* listener = nullptr;
  ByteBuffer sent;  ///< By the client.
  std::vector<FromClient> said;
  std::size_t room = SIZE_MAX;  ///< What the socket takes.
  bool reading = true;
  bool closed = false;
  Encoding encoding = Encoding::proto;

  void parse() {
    while (sent.size() >= 4) {
      ByteReader reader{sent};
      const std::size_t size = *reader.read<std::uint32_t>();
      const auto envelope = reader.read_bytes(size);
      if (!envelope) return;
      auto message = decode_from_client(encoding, *envelope);
      EXPECT_TRUE(message) << (message ? "" : message.error().message);
      if (message) said.push_back(std::move(*message));
      sent.erase(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(4 + size));
    }
  }
  template <typename T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> found;
    for (const FromClient& message : said) {
      if (const auto* one = std::get_if<T>(&message)) found.push_back(*one);
    }
    return found;
  }
};

class MemorySocket final : public transport::MessageSocket {
 public:
  MemorySocket(asio::any_io_executor executor, std::shared_ptr<Wire> wire)
      : executor_(std::move(executor)), wire_(std::move(wire)) {}
  ~MemorySocket() override { wire_->listener = nullptr; }

  void listen(transport::MessageSocketListener& listener) override { wire_->listener = &listener; }
  std::size_t write(ByteView frames) override {
    const std::size_t taken = std::min(frames.size(), wire_->room);
    if (wire_->room != SIZE_MAX) wire_->room -= taken;
    wire_->sent.insert(wire_->sent.end(), frames.begin(),
                       frames.begin() + static_cast<std::ptrdiff_t>(taken));
    wire_->parse();
    return taken;
  }
  void charge_to(std::shared_ptr<flow::Account>) override {}
  void set_ping_interval(Duration) override {}
  void set_max_message(Bytes) override {}
  void probe() override {}
  void pause_reading() override { wire_->reading = false; }
  void resume_reading() override { wire_->reading = true; }
  void close(Farewell /*farewell*/) override { end({.code = Errc::closed, .message = "closed"}); }
  void cut() override { end({.code = Errc::cancelled, .message = "cut"}); }
  [[nodiscard]] transport::MessageSocketStats stats() const override { return {}; }
  [[nodiscard]] std::string_view remote_address() const override { return "192.0.2.1"; }

 private:
  void end(Error reason) {
    if (std::exchange(wire_->closed, true)) return;
    asio::post(executor_, [wire = wire_, reason = std::move(reason)] {
      if (auto* listener = std::exchange(wire->listener, nullptr)) listener->on_closed(reason);
    });
  }
  asio::any_io_executor executor_;
  std::shared_ptr<Wire> wire_;
};

/// A hub that takes connections, or refuses them, as the test says.
struct FakeHub {
  explicit FakeHub(asio::any_io_executor executor_to_use) : executor(std::move(executor_to_use)) {}

  [[nodiscard]] Connector connector() {
    return [this](Visit visit) -> asio::awaitable<transport::SocketAttempt> {
      visits.push_back(visit);
      return connect();
    };
  }
  asio::awaitable<transport::SocketAttempt> connect() {
    ++attempts;
    transport::SocketAttempt attempt{.made = fail(Errc::refused, "busy")};
    if (refusals > 0) {
      --refusals;
      attempt.refusal = transport::HttpRefusal{.status = 503};
      co_return attempt;
    }
    wires.push_back(std::make_shared<Wire>());
    wires.back()->encoding = encoding;
    transport::ConnectedSocket connected{
        .socket = std::make_unique<MemorySocket>(executor, wires.back()),
        .subprotocol = std::string{encoding == Encoding::json ? kJsonSubprotocol : kProtoSubprotocol},
        .append_frame = [](ByteBuffer& out, transport::MessageKind, ByteView message) {
          ByteWriter writer{out};
          writer.write(static_cast<std::uint32_t>(message.size()));
          writer.write_bytes(message);
        }};
    attempt.made = std::move(connected);
    co_return attempt;
  }
  Wire& wire() { return *wires.back(); }
  void say(const FromHub& message) {
    ByteBuffer bytes;
    append(bytes, encoding, message);
    wire().listener->on_message(transport::MessageKind::binary, bytes);
  }
  void welcome() { say(Welcome{.user = "me", .session = "s", .session_token = "secret", .epoch = 3}); }
  void lose() {
    wire().closed = true;
    if (auto* listener = std::exchange(wire().listener, nullptr))
      listener->on_closed({.code = Errc::link_lost, .message = "gone"});
  }

  asio::any_io_executor executor;
  Encoding encoding = Encoding::proto;
  std::vector<std::shared_ptr<Wire>> wires;
  std::vector<Visit> visits;
  int refusals = 0;
  int attempts = 0;
};

/// A client at that hub, and everything run until nothing more happens by itself.
struct Fixture {
  explicit Fixture(Encoding encoding = Encoding::proto)
      : hub(shard.get_executor()),
        client(shard.get_executor(), hub.connector(),
               {.user = "me", .backoff = {.first = 1ms, .longest = 2ms}}),
        tasks(shard.get_executor()) {
    hub.encoding = encoding;
  }
  ~Fixture() {
    client.stop();
    settle();
    EXPECT_EQ(tasks.size(), 0U) << "it does not stop";
    tasks.cancel();
    settle();
  }
  void start() {
    tasks.spawn(client.run());
    settle();
  }
  void settle() {
    shard.restart();
    shard.poll();
  }
  template <typename Done>
  bool run_until(Done done, Duration patience = 20s) {
    const TimePoint limit = Clock::now() + patience;
    while (!done() && Clock::now() < limit) {
      shard.restart();
      shard.run_one_for(10ms);
    }
    return done();
  }
  template <typename T>
  std::optional<T> event() {
    while (auto next = client.poll()) {
      if (auto* one = std::get_if<T>(&*next)) return std::move(*one);
    }
    return std::nullopt;
  }

  asio::io_context shard;
  FakeHub hub;
  HubClient client;
  runtime::TaskScope tasks;
};

Delivery delivery(std::uint64_t offset, std::string text = "x") {
  return {.from = "ann",
          .to = {.kind = Conversation::Kind::user, .name = "me"},
          .id = "i",
          .position = {.epoch = 3, .offset = offset},
          .content = {.kind = Content::Kind::text, .bytes = std::move(text)}};
}

TEST(HubClient, DoesNotSendWhatIsTooLargeInJsonAndGoesOn) {
  Fixture fixture{Encoding::json};
  fixture.start();
  fixture.hub.welcome();
  const Conversation to{.kind = Conversation::Kind::group, .name = "g"};
  fixture.tasks.spawn([](HubClient& client, Conversation group) -> asio::awaitable<void> {
    const std::vector<std::string> texts{std::string(20'000, '\x01'), "small"};
    for (const std::string& text : texts) {
      Draft draft{.to = group, .content = {.kind = Content::Kind::text, .bytes = text}};
      (void)co_await client.publish(std::move(draft));
    }
  }(fixture.client, to));
  fixture.settle();
  const auto published = fixture.hub.wire().all<Publish>();
  ASSERT_EQ(published.size(), 1U);
  EXPECT_EQ(published[0].content.bytes, "small");
  const auto answered = fixture.event<Answered>();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->receipt.reason, Reason::too_large);
  EXPECT_NE(answered->receipt.message.find("the limit is 65536"), std::string::npos);
}

TEST(HubClient, SpeaksBothEncodings) {
  for (const Encoding encoding : {Encoding::proto, Encoding::json}) {
    Fixture fixture{encoding};
    fixture.start();
    ASSERT_EQ(fixture.hub.wires.size(), 1U);
    EXPECT_EQ(fixture.hub.wire().all<Hello>().size(), 1U);
    fixture.hub.welcome();
    EXPECT_TRUE(fixture.event<Connected>());
    fixture.hub.say(delivery(1, "hello"));
    EXPECT_EQ(fixture.event<Message>()->delivery.content.bytes, "hello");
    ASSERT_TRUE(fixture.client.join({.group = "ops"}));
    EXPECT_EQ(fixture.hub.wire().all<Join>().at(0).group, "ops");
  }
}

TEST(HubClient, AcknowledgesAfterAWhile) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  fixture.hub.say(delivery(1));
  EXPECT_TRUE(fixture.event<Message>());
  EXPECT_FALSE(fixture.client.poll());  // it comes back, so the message is done with
  EXPECT_TRUE(fixture.run_until([&] { return !fixture.hub.wire().all<Ack>().empty(); }));
  EXPECT_EQ(fixture.hub.wire().all<Ack>().at(0).seq, 1U);
}

TEST(HubClient, ConnectsAgainAndRepeatsWhatWasNotAnswered) {
  Fixture fixture;
  fixture.hub.refusals = 2;
  fixture.start();
  EXPECT_TRUE(fixture.run_until([&] { return fixture.hub.wires.size() == 1; }));
  EXPECT_EQ(fixture.hub.attempts, 3);
  fixture.hub.welcome();
  bool published = false;
  auto publish = [&]() -> asio::awaitable<void> {
    Draft draft{.to = {.kind = Conversation::Kind::group, .name = "ops"}};
    auto number = co_await fixture.client.publish(std::move(draft));
    published = number.has_value();
  };
  fixture.tasks.spawn(publish());
  fixture.settle();
  EXPECT_TRUE(published);
  const std::string id = fixture.hub.wire().all<Publish>().at(0).id;
  fixture.hub.lose();
  EXPECT_TRUE(fixture.run_until([&] { return fixture.hub.wires.size() == 2; }));
  fixture.hub.welcome();
  EXPECT_EQ(fixture.hub.wire().all<Hello>().at(0).resume->session_token, "secret");
  EXPECT_EQ(fixture.hub.visits, (std::vector<Visit>{{}, {}, {}, {.session_token = "secret"}}));
  ASSERT_EQ(fixture.hub.wire().all<Publish>().size(), 1U);
  EXPECT_EQ(fixture.hub.wire().all<Publish>()[0].id, id);
  fixture.hub.say(Ack{.seq = 1});
  EXPECT_EQ(fixture.event<Answered>()->receipt.id, id);
}

TEST(HubClient, KeepsWhatTheSocketDoesNotTake) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  Wire& wire = fixture.hub.wire();
  wire.room = 10;
  ASSERT_TRUE(fixture.client.join({.group = "one"}));
  ASSERT_TRUE(fixture.client.join({.group = "two"}));
  EXPECT_LT(wire.all<Join>().size(), 2U);
  wire.room = SIZE_MAX;
  wire.listener->on_writable();
  ASSERT_EQ(wire.all<Join>().size(), 2U);
  EXPECT_EQ(wire.all<Join>()[1].group, "two");
}

TEST(HubClient, ReadsNothingMoreWhileItsOwnerTakesNothing) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  std::uint64_t offset = 0;
  while (fixture.hub.wire().reading && offset < 10'000) fixture.hub.say(delivery(++offset));
  EXPECT_LE(offset, limits::kClientEvents);
  EXPECT_GT(offset, limits::kClientEvents / 2);
  std::uint64_t taken = 0;
  while (fixture.event<Message>()) ++taken;
  EXPECT_EQ(taken, offset);
  EXPECT_TRUE(fixture.hub.wire().reading);
}

TEST(HubClient, HoldsABoundedNumberOfBytesForAnOwnerThatTakesNothing) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  constexpr Bytes kEach = 500_KiB;
  std::uint64_t offset = 0;
  while (fixture.hub.wire().reading && offset < 1'000)
    fixture.hub.say(delivery(++offset, std::string(kEach.count(), 'x')));
  EXPECT_LE(kEach.count() * (offset - 1), limits::kClientEventBytes.count());
  std::uint64_t taken = 0;
  while (fixture.event<Message>()) ++taken;
  EXPECT_EQ(taken, offset);
  EXPECT_TRUE(fixture.hub.wire().reading);
}

TEST(HubClient, OpensNoConnectionForAnOwnerThatTakesNothing) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  std::uint64_t offset = 0;
  while (fixture.hub.wire().reading) fixture.hub.say(delivery(++offset, std::string(100'000, 'x')));
  fixture.hub.lose();
  EXPECT_FALSE(fixture.run_until([&] { return fixture.hub.wires.size() > 1; }, 100ms));
  while (fixture.event<Message>()) {
  }
  EXPECT_TRUE(fixture.run_until([&] { return fixture.hub.wires.size() == 2; }));
}

TEST(HubClient, PutsTogetherNoMoreThanOneAnswerForAHubThatReadsNone) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  Wire& wire = fixture.hub.wire();
  wire.room = 0;
  for (std::uint64_t nonce = 1; nonce <= 100'000; ++nonce) fixture.hub.say(Ping{.nonce = nonce});
  wire.room = SIZE_MAX;
  wire.listener->on_writable();
  const auto pongs = wire.all<Pong>();
  ASSERT_LE(pongs.size(), 2U);  // one was on its way
  EXPECT_EQ(pongs.back().nonce, 100'000U);
}

TEST(HubClient, HangsUpOnAHubThatSendsFromConversationsWithoutEnd) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  Delivery one = delivery(1);
  std::size_t sent = 0;
  while (!fixture.hub.wire().closed && sent < 10 * limits::kClientConversations) {
    one.to = {.kind = Conversation::Kind::group, .name = "g" + std::to_string(++sent)};
    fixture.hub.say(one);
    while (fixture.client.poll()) {
    }
  }
  EXPECT_EQ(sent, limits::kClientConversations + 1);
}

TEST(HubClient, PublishesNoFasterThanItIsAnswered) {
  Fixture fixture;
  fixture.start();
  fixture.hub.welcome();
  std::size_t published = 0;
  auto publish = [&]() -> asio::awaitable<void> {
    for (; published < 1'000; ++published) {
      Draft draft{.to = {.kind = Conversation::Kind::group, .name = "ops"}};
      auto number = co_await fixture.client.publish(std::move(draft));
      if (!number) co_return;
    }
  };
  fixture.tasks.spawn(publish());
  fixture.settle();
  EXPECT_EQ(published, limits::kClientUnanswered);
  fixture.hub.say(Ack{.seq = 100});
  fixture.settle();
  EXPECT_EQ(published, limits::kClientUnanswered + 100);
}

TEST(HubClient, EndsWithAHubThatDoesNotWantIt) {
  Fixture fixture;
  fixture.start();
  fixture.hub.say(Kick{.reason = Reason::token_invalid, .message = "no"});
  fixture.hub.lose();
  fixture.settle();
  EXPECT_EQ(fixture.event<Over>()->reason, Reason::token_invalid);
  EXPECT_EQ(fixture.tasks.size(), 0U);
}

TEST(HubClient, HangsUpOnNonsense) {
  Fixture fixture;
  fixture.start();
  fixture.hub.wire().listener->on_message(transport::MessageKind::binary, as_bytes("\xFF\xFF"));
  EXPECT_TRUE(fixture.hub.wire().closed);
  fixture.settle();
  EXPECT_TRUE(fixture.event<Lost>());
}

}  // namespace
}  // namespace sluice::messaging
