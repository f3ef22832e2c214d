#include "client/mailbox_client.hpp"

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "client/testing/fake_hub.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::client {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::FakeHub;

/// A shard, a hub and a scope. `run` drives tasks to their end; its limit is only for a test that fails.
class MailboxClientTest : public ::testing::Test {
 protected:
  template <typename Task>
  void run(Task&& task) {
    scope.spawn(task());
    shard.restart();
    shard.run_for(20s);
    ASSERT_EQ(scope.size(), 0U) << "not done in time";
  }
  asio::awaitable<std::unique_ptr<MailboxClient>> connect(MailboxTimes times = {}) {
    const auto connector = hub.connector();
    auto link = co_await connector();
    co_return std::make_unique<MailboxClient>(shard.get_executor(), std::move(link).value(), times);
  }
  static asio::awaitable<MailboxEvent> next(MailboxClient& client) {
    for (;;) {
      if (auto event = client.take()) co_return std::move(*event);
      co_await client.wait(Clock::now() + 10s);
    }
  }

  asio::io_context shard{1};
  FakeHub hub{shard.get_executor()};
  runtime::TaskScope scope{shard.get_executor()};
};

TEST_F(MailboxClientTest, HostAndVisitorMeetTalkAndPart) {
  run([&]() -> asio::awaitable<void> {
    auto host = co_await connect();
    auto visitor = co_await connect();
    auto opened = co_await host->open(std::nullopt);
    EXPECT_EQ(opened.value().mailbox, "7");
    EXPECT_EQ(opened.value().expires_in, 600s);
    auto joined = co_await visitor->join("7", Clock::now() + 1s);
    EXPECT_TRUE(joined);
    MailboxEvent event = co_await next(*host);
    const VisitId visit = std::get<PeerJoined>(event).visit;
    EXPECT_TRUE(host->send(Relay{.body = as_bytes("hello"), .visit = visit}));
    event = co_await next(*visitor);
    EXPECT_EQ(as_text(std::get<Delivered>(event).body), "hello");
    EXPECT_TRUE(host->send(Release{.visit = visit}));
    event = co_await next(*visitor);
    EXPECT_EQ(std::get<PeerLeft>(event).reason, "released");
    co_await visitor->close();
    co_await host->close();
    EXPECT_EQ(hub.connections(), 0U);
  });
}

TEST_F(MailboxClientTest, NamedMailboxDoesNotExpireAndHasOneHost) {
  run([&]() -> asio::awaitable<void> {
    const std::string name(32, 'a');
    auto host = co_await connect();
    auto opened = co_await host->open(name);
    EXPECT_EQ(opened.value().mailbox, name);
    EXPECT_FALSE(opened.value().expires_in);
    auto second = co_await connect();
    auto refused = co_await second->open(name);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::busy);
    EXPECT_FALSE(second->gone());
  });
}

TEST_F(MailboxClientTest, UnknownMailboxIsNotFound) {
  run([&]() -> asio::awaitable<void> {
    auto visitor = co_await connect();
    auto joined = co_await visitor->join("99", Clock::now() + 1s);
    EXPECT_FALSE(joined);
    EXPECT_EQ(joined.error().code, Errc::not_found);
    EXPECT_FALSE(visitor->gone());
  });
}

TEST_F(MailboxClientTest, BusyMailboxIsTriedAgainUntilItsTimeIsOver) {
  run([&]() -> asio::awaitable<void> {
    auto host = co_await connect();
    auto opened = co_await host->open(std::nullopt);
    hub.busy = 2;
    auto visitor = co_await connect();
    auto joined = co_await visitor->join("7", Clock::now() + 10s);
    EXPECT_TRUE(joined);
    EXPECT_EQ(hub.heard("join"), 3);
    auto second = co_await connect();
    auto refused = co_await second->join("7", Clock::now() + 1ms);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::busy);
  });
}

TEST_F(MailboxClientTest, HubThatDoesNotAnswerTimesOut) {
  hub.silent = true;
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect({.reply = 20ms});
    auto opened = co_await client->open(std::nullopt);
    EXPECT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::timed_out);
    EXPECT_TRUE(client->gone());
  });
}

TEST_F(MailboxClientTest, QuietPlaceIsKeptAliveAndASilentHubGivenUp) {
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect({.ping = 10ms, .silence = 60ms});
    auto opened = co_await client->open(std::nullopt);
    while (hub.heard("ping") < 3) co_await client->wait(Clock::now() + 1s);
    EXPECT_FALSE(client->take());
    hub.silent = true;
    MailboxEvent event = co_await next(*client);
    EXPECT_EQ(std::get<HubGone>(event).error.code, Errc::link_lost);
    EXPECT_FALSE(client->send(Ping{}));
  });
}

TEST_F(MailboxClientTest, LostLinkIsToldAfterWhatCameBeforeIt) {
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect();
    auto opened = co_await client->open(std::nullopt);
    hub.tell_all(R"({"type":"peer_left","reason":"lost"})");
    co_await asio::post(shard, asio::use_awaitable);  // the word arrives
    hub.cut_all();
    MailboxEvent event = co_await next(*client);
    EXPECT_TRUE(std::holds_alternative<PeerLeft>(event));
    for (int i = 0; i < 2; ++i) {
      event = co_await next(*client);
      EXPECT_EQ(std::get<HubGone>(event).error.code, Errc::link_lost);
    }
  });
}

TEST_F(MailboxClientTest, MoreThanTheInboxHoldsEndsTheLink) {
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect();
    auto opened = co_await client->open(std::nullopt);
    for (std::size_t i = 0; i <= limits::kMailboxInbox; ++i) hub.tell_all(R"({"type":"expired"})");
    while (!client->gone()) co_await client->wait(Clock::now() + 1s);
    std::size_t events = 0;
    while (auto event = client->take()) {
      if (std::holds_alternative<HubGone>(*event)) {
        EXPECT_EQ(std::get<HubGone>(*event).error.code, Errc::limit_exceeded);
        break;
      }
      ++events;
    }
    EXPECT_EQ(events, limits::kMailboxInbox);
  });
}

TEST_F(MailboxClientTest, MoreBytesThanTheInboxHoldsEndTheLink) {
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect();
    auto opened = co_await client->open(std::nullopt);
    constexpr Bytes kEach{21'000};
    const std::string large(kEach.count() / 3 * 4, 'A');
    for (std::size_t i = 0; i < limits::kMailboxInbox; ++i)
      hub.tell_all(R"({"type":"message","body":")" + large + R"("})");
    while (!client->gone()) co_await client->wait(Clock::now() + 1s);
    Bytes held;
    while (auto event = client->take()) {
      const auto* const delivered = std::get_if<Delivered>(&*event);
      if (delivered == nullptr) break;
      held += size_of(delivered->body);
    }
    EXPECT_GT(held, Bytes{100'000});
    EXPECT_LE(held, limits::kMailboxInboxBytes);
  });
}

TEST_F(MailboxClientTest, UnknownAndUntimelyWordsAreCountedAndIgnored) {
  run([&]() -> asio::awaitable<void> {
    auto client = co_await connect();
    auto opened = co_await client->open(std::nullopt);
    hub.tell_all(R"({"type":"later"})");
    hub.tell_all(R"({"type":"joined"})");
    hub.tell_all(R"({"type":"expired"})");
    MailboxEvent event = co_await next(*client);
    EXPECT_TRUE(std::holds_alternative<Expired>(event));
    EXPECT_EQ(client->drops().unknown, 1U);
    EXPECT_EQ(client->drops().untimely, 1U);
  });
}

TEST_F(MailboxClientTest, NonsenseEndsTheLink) {
  for (const auto* text : {"", "[]", "{", "{}", R"({"type":7})", R"({"type":"message","body":"?"})",
                           R"({"type":"opened"})", R"({"type":"opened","mailbox":""})"}) {
    run([&]() -> asio::awaitable<void> {
      auto client = co_await connect();
      auto opened = co_await client->open(std::nullopt);
      hub.tell_all(text);
      MailboxEvent event = co_await next(*client);
      EXPECT_EQ(std::get<HubGone>(event).error.code, Errc::malformed) << text;
    });
  }
}

TEST_F(MailboxClientTest, CancellationEndsEveryWait) {
  hub.silent = true;
  const auto wait_for_ever = [&]() -> asio::awaitable<void> {
    auto client = co_await connect();
    co_await client->open(std::nullopt);
  };
  scope.spawn(wait_for_ever());
  shard.poll();
  scope.cancel();
  shard.restart();
  shard.run_for(20s);
  EXPECT_EQ(scope.size(), 0U);
  EXPECT_EQ(hub.connections(), 0U);
}

TEST(MailboxMessage, EncodesRequestsAsThePageHasThem) {
  EXPECT_EQ(encode(Open{}), R"({"type":"open"})");
  EXPECT_EQ(encode(Open{.name = "ab"}), R"({"type":"open","name":"ab"})");
  EXPECT_EQ(encode(Join{.mailbox = "7"}), R"({"type":"join","mailbox":"7"})");
  EXPECT_EQ(encode(Relay{.body = as_bytes("fo"), .visit = std::nullopt}),
            R"({"type":"message","body":"Zm8="})");
  EXPECT_EQ(encode(Relay{.body = {}, .visit = 3}), R"({"type":"message","body":"","introduction":3})");
  EXPECT_EQ(encode(Release{.visit = 3}), R"({"type":"release","introduction":3})");
  EXPECT_EQ(encode(Burn{}), R"({"type":"burn"})");
  EXPECT_EQ(encode(Ping{}), R"({"type":"ping"})");
}

TEST(MailboxMessage, ReadsTheWholeRangeOfVisitors) {
  const auto reply = decode_reply(R"({"type":"peer_joined","introduction":18446744073709551615})");
  EXPECT_EQ(std::get<PeerJoined>(reply.value()).visit, 18446744073709551615U);
  for (const auto* text :
       {R"({"type":"peer_joined"})", R"({"type":"peer_joined","introduction":-1})",
        R"({"type":"peer_joined","introduction":1.5})", R"({"type":"peer_joined","introduction":"1"})"}) {
    EXPECT_FALSE(decode_reply(text)) << text;
  }
}

TEST(MailboxMessage, TimesThatNoHonestHubNamesAreMalformed) {
  const auto opened = [](const std::string& seconds) {
    return decode_reply(R"({"type":"opened","mailbox":"7","expires_in_s":)" + seconds + "}");
  };
  const auto refused = [](const std::string& milliseconds) {
    return decode_reply(R"({"type":"error","code":"busy","retry_after_ms":)" + milliseconds + "}");
  };
  EXPECT_EQ(std::get<Opened>(opened("86400").value()).expires_in, 24h);
  EXPECT_EQ(std::get<Refused>(refused("86400000").value()).retry_after, 24h);
  EXPECT_EQ(std::get<Refused>(refused("0").value()).retry_after, 0ms);
  for (const auto* time : {"86400001", "9223372036854775807", "18446744073709551615", "-1",
                           "-9223372036854775808", "1.5", "1e300", "null", R"("5")"}) {
    for (const auto& reply : {opened(time), refused(time)}) {
      ASSERT_FALSE(reply) << time;
      EXPECT_EQ(reply.error().code, Errc::malformed);
    }
  }
  EXPECT_FALSE(opened("86401"));
}

TEST(MailboxMessage, RefusalsBecomeErrorsWithTheHubsSentence) {
  const auto refused = [](const std::string& code) {
    const auto reply =
        decode_reply(R"({"type":"error","code":")" + code + R"(","message":"Why.","retry_after_ms":5})");
    return std::get<Refused>(reply.value());
  };
  EXPECT_EQ(refused("not_found").error.code, Errc::not_found);
  EXPECT_EQ(refused("burnt").error.code, Errc::not_found);
  EXPECT_EQ(refused("expired").error.code, Errc::not_found);
  EXPECT_EQ(refused("busy").error.code, Errc::busy);
  EXPECT_EQ(refused("too_many_tries").error.code, Errc::limit_exceeded);
  EXPECT_EQ(refused("limit_exceeded").error.code, Errc::limit_exceeded);
  EXPECT_EQ(refused("malformed").error.code, Errc::protocol_violation);
  EXPECT_EQ(refused("something new").error.code, Errc::refused);
  EXPECT_EQ(refused("busy").error.message, "Why.");
  EXPECT_EQ(refused("busy").retry_after, 5ms);
}

}  // namespace
}  // namespace sluice::client
