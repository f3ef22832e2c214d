#include "api/hub_server.hpp"

#include <string>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/client.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using websocket::testing::on_shard;
using websocket::testing::Recorder;
using namespace std::chrono_literals;
using namespace literals;

/// A client of the hub: a WebSocket of text messages, spoken by hand.
struct Client {
  std::unique_ptr<Recorder> heard;
  std::unique_ptr<transport::Link> link;

  void say(std::string_view text) const { EXPECT_TRUE(link->send(as_bytes(text))); }
  [[nodiscard]] asio::awaitable<std::string> ask(std::string text) const {
    say(text);
    co_return co_await heard->message();
  }
};

struct Fixture {
  explicit Fixture(asio::io_context& shard, HubOptions options = {}) : executor(shard.get_executor()) {
    options.listen = {"127.0.0.1:0"};
    options.version = "1.2.3";
    hub.emplace(executor, std::move(options));
    auto started = hub->start();
    EXPECT_TRUE(started) << (started ? "" : describe(started.error()));
    if (started) addresses = std::move(*started);
  }

  asio::awaitable<Client> dial() {
    // Named: GCC 12 copies temporaries of an awaited expression bit by bit.
    websocket::ConnectOptions options{.path = "/v1/mailbox", .link = {.kind = websocket::MessageKind::text}};
    options.pin = addresses.fingerprint;
    auto link = co_await websocket::connect(addresses.urls.at(0), options);
    EXPECT_TRUE(link) << (link ? "" : describe(link.error()));
    Client client{.heard = std::make_unique<Recorder>(executor), .link = std::move(*link)};
    client.link->listen(*client.heard);
    co_return client;
  }
  asio::awaitable<std::string> healthz() {
    const auto url = websocket::parse_url(addresses.urls.at(0));
    tcp::socket socket{executor};
    co_await socket.async_connect({asio::ip::make_address(url->host), url->port}, asio::use_awaitable);
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    std::string answer;
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
    co_return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  asio::any_io_executor executor;
  std::optional<HubServer> hub;
  HubAddresses addresses;
};

std::string number_in(const std::string& opened) {
  const std::string before = R"("mailbox":")";
  const auto begin = opened.find(before) + before.size();
  return opened.substr(begin, opened.find('"', begin) - begin);
}

std::string join(const std::string& mailbox) {
  return R"({"type":"join","mailbox":")" + mailbox + "\"}";
}

TEST(HubServer, IntroducesTwoClientsAndTellsItsHealth) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const Client host = co_await fixture.dial();
    const std::string opened = co_await host.ask(R"({"type":"open"})");
    const std::string mailbox = number_in(opened);
    EXPECT_EQ(opened, R"({"type":"opened","mailbox":")" + mailbox + R"(","expires_in_s":600})");
    Client visitor = co_await fixture.dial();
    EXPECT_EQ(co_await visitor.ask(join(mailbox)), R"({"type":"joined"})");
    EXPECT_EQ(co_await host.heard->message(), R"({"type":"peer_joined","introduction":1})");
    visitor.say(R"({"type":"message","body":"aGVsbG8="})");
    EXPECT_EQ(co_await host.heard->message(), R"({"type":"message","body":"aGVsbG8="})");
    host.say(R"({"type":"message","body":"d29ybGQ="})");
    EXPECT_EQ(co_await visitor.heard->message(), R"({"type":"message","body":"d29ybGQ="})");
    EXPECT_EQ(co_await host.ask(R"({"type":"ping"})"), R"({"type":"pong"})");
    EXPECT_EQ(co_await fixture.healthz(),
              "{\"status\":\"ok\",\"version\":\"1.2.3\",\"mailboxes\":1,\"connections\":3,\"introductions\":"
              "1,\"denied\":{}}\n");
    visitor.link->close();
    EXPECT_EQ(co_await host.heard->message(), R"({"type":"peer_left","reason":"left"})");
    co_await fixture.hub->stop();
    EXPECT_NE((co_await host.heard->closed()).message.find("the hub is shutting down"), std::string::npos);
    EXPECT_EQ(fixture.hub->connections(), 0U);
    EXPECT_EQ(fixture.hub->mailboxes(), 0U);
  });
}

TEST(HubServer, TellsTheOtherPlaceWhenOneVanishes) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    Client host = co_await fixture.dial();
    const std::string mailbox = number_in(co_await host.ask(R"({"type":"open"})"));
    const Client visitor = co_await fixture.dial();
    co_await visitor.ask(join(mailbox));
    host.link.reset();
    EXPECT_EQ(co_await visitor.heard->message(), R"({"type":"peer_left","reason":"lost"})");
    const std::string gone = co_await visitor.ask(join(mailbox));
    EXPECT_TRUE(gone.starts_with(R"({"type":"error","code":"not_found")")) << gone;
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, BurnsAndLimitsTries) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.mailboxes = {.tries = {.burst = 2, .interval = 60s, .max_tracked = 8}}}};
    const Client host = co_await fixture.dial();
    const std::string mailbox = number_in(co_await host.ask(R"({"type":"open"})"));
    const Client visitor = co_await fixture.dial();
    co_await visitor.ask(join(mailbox));
    host.say(R"({"type":"burn"})");
    const std::string burnt = co_await visitor.heard->message();
    EXPECT_TRUE(burnt.starts_with(R"({"type":"error","code":"burnt")")) << burnt;
    EXPECT_EQ((co_await visitor.heard->closed()).code, Errc::closed);
    const Client again = co_await fixture.dial();
    const std::string second = co_await again.ask(join(mailbox));
    EXPECT_TRUE(second.starts_with(R"({"type":"error","code":"burnt")")) << second;
    const std::string third = co_await again.ask(join(mailbox));
    EXPECT_TRUE(third.starts_with(R"({"type":"error","code":"too_many_tries")")) << third;
    EXPECT_NE(third.find("retry_after_ms"), std::string::npos);
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, RunsTimeOut) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard,
                    {.mailboxes = {.life = 200ms, .placeless = {.longest = 400ms, .shortest = 400ms}}}};
    const Client host = co_await fixture.dial();
    const Client idle = co_await fixture.dial();
    co_await host.ask(R"({"type":"open"})");
    EXPECT_EQ(co_await host.heard->message(), R"({"type":"expired"})");
    EXPECT_EQ((co_await idle.heard->closed()).code, Errc::closed);
    EXPECT_EQ((co_await host.heard->closed()).code, Errc::closed);  // without a place, and silent
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, EndsWhoSaysWhatItDoesNotUnderstand) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    for (const std::string text : {"hello", R"({"type":"open","name":"short"})", "[[[[[[[["}) {
      const Client client = co_await fixture.dial();
      const std::string answer = co_await client.ask(text);
      EXPECT_TRUE(answer.starts_with(R"({"type":"error","code":"malformed")")) << answer;
      EXPECT_EQ((co_await client.heard->closed()).code, Errc::closed);
    }
    const Client large = co_await fixture.dial();
    large.say(R"({"type":"message","body":")" + std::string(32 * 1024, 'A') + "\"}");
    EXPECT_EQ((co_await large.heard->closed()).code, Errc::limit_exceeded);
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, CutsAPlaceThatDoesNotRead) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    // Enough may be sent to fill what the kernel takes for a reader that is asleep.
    Fixture fixture{
        shard,
        {.mailboxes = {
             .introduction_messages = 100'000, .introduction_bytes = 1024_MiB, .request_burst = 100'000}}};
    const Client host = co_await fixture.dial();
    const std::string mailbox = number_in(co_await host.ask(R"({"type":"open"})"));
    const websocket::ConnectOptions options{.path = "/v1/mailbox",
                                            .link = {.kind = websocket::MessageKind::text}};
    auto link = co_await websocket::connect(fixture.addresses.urls.at(0), options);
    EXPECT_TRUE((*link)->send(as_bytes(join(mailbox))));  // and never listens
    EXPECT_EQ(co_await host.heard->message(), R"({"type":"peer_joined","introduction":1})");
    const std::string message = R"({"type":"message","body":")" + std::string(32'000, 'A') + "\"}";
    host.link->set_buffered_amount_low_threshold(1_MiB);
    std::string answer;
    for (int sent = 0; sent < 20'000 && answer.empty(); ++sent) {
      if (host.link->buffered_amount() < 4_MiB) host.say(message);
      if (sent % 50 == 49) answer = co_await host.ask(R"({"type":"ping"})");
      if (answer == R"({"type":"pong"})") answer.clear();
    }
    EXPECT_EQ(answer, R"({"type":"peer_left","reason":"too_slow"})");
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, ShowsAFingerprintThatOutlivesIt) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const websocket::testing::TemporaryFolder folder;
    std::vector<std::string> fingerprints;
    for (int i = 0; i < 2; ++i) {
      Fixture fixture{shard, {.development_certificate = folder.path()}};
      EXPECT_TRUE(fixture.addresses.urls.at(0).starts_with("wss://127.0.0.1:"));
      fingerprints.push_back(fixture.addresses.fingerprint.value_or("none"));
      const Client client = co_await fixture.dial();
      EXPECT_EQ(co_await client.ask(R"({"type":"ping"})"), R"({"type":"pong"})");
      co_await fixture.hub->stop();
      co_await client.heard->closed();
    }
    EXPECT_EQ(fingerprints[0], fingerprints[1]);
  });
}

TEST(HubServer, TakesAnotherNumberOfConnectionsOfAnAddress) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    using Loopback = websocket::AdmissionLimits::Loopback;
    Fixture fixture{
        shard, {.server = {.admission = {.connections_per_address = 1, .loopback = Loopback::as_others}}}};
    const Client first = co_await fixture.dial();
    hub::config::Settings settings;
    settings.admission.per_address = 2;
    EXPECT_TRUE(fixture.hub->reload(settings));
    const Client second = co_await fixture.dial();
    const websocket::ConnectOptions options{.path = "/v1/mailbox",
                                            .link = {.kind = websocket::MessageKind::text}};
    EXPECT_FALSE(co_await websocket::connect(fixture.addresses.urls.at(0), options));
    co_await fixture.hub->stop();
  });
}

TEST(HubServer, SaysWhyItCannotStart) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const auto why = [&](const HubOptions& options) -> asio::awaitable<Errc> {
      HubServer hub{fixture.executor, options};
      const auto started = hub.start();
      EXPECT_FALSE(started);
      co_await hub.stop();
      co_return started ? Errc::cancelled : started.error().code;
    };
    HubOptions options;
    options.listen = {"127.0.0.1:0", fixture.addresses.urls.at(0).substr(5)};
    EXPECT_EQ(co_await why(options), Errc::address_in_use);
    options.listen = {"0.0.0.0:0"};
    EXPECT_EQ(co_await why(options), Errc::permission_denied);
    options.listen = {"7788"};
    EXPECT_EQ(co_await why(options), Errc::invalid_argument);
    options.listen = {};
    EXPECT_EQ(co_await why(options), Errc::invalid_argument);
    options.listen = {"127.0.0.1:0"};
    options.tls = websocket::PemFiles{.certificate = "/nowhere", .key = "/nowhere"};
    EXPECT_EQ(co_await why(options), Errc::not_found);
    co_await fixture.hub->stop();
  });
}

}  // namespace
}  // namespace sluice::api
