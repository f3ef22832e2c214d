#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/client.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
using testing::Recorder;
using namespace std::chrono_literals;
using namespace literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr auto kCounted = AdmissionLimits::Loopback::as_others;

/// A server on loopback whose links are kept and recorded.
struct Fixture {
  explicit Fixture(asio::io_context& shard, ServerOptions options = {},
                   LinkOptions link = {.kind = MessageKind::text})
      : executor(shard.get_executor()), arrived(executor), link_options(link) {
    auto created = Server::create(executor, std::move(options));
    EXPECT_TRUE(created) << (created ? "" : describe(created.error()));
    server = std::move(*created);
    server->on_get("/healthz", [](const transport::HttpRequest& request) {
      return transport::HttpResponse{.body = "{\"from\":\"" + request.remote_address + "\",\"query\":\"" +
                                             request.query + "\"}"};
    });
    server->on_link("/v1/echo", link, [this](transport::AcceptedLink accepted) {
      auto& end = ends.emplace_back(std::make_unique<Recorder>(executor), std::move(accepted.link));
      end.second->listen(*end.first);
      arrived.notify();
    });
    auto bound = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(bound) << (bound ? "" : describe(bound.error()));
    url = *bound;
  }

  asio::awaitable<Result<std::unique_ptr<transport::Link>>> dial() {
    return connect(url, {.path = "/v1/echo", .link = link_options});  // no coroutine: a temporary is fine
  }
  /// The server's end of the link that came as number `index`.
  asio::awaitable<void> wait_for(std::size_t count) {
    while (ends.size() < count) co_await arrived.wait();
  }
  Recorder& heard(std::size_t index) { return *ends.at(index).first; }
  transport::Link& end(std::size_t index) { return *ends.at(index).second; }

  [[nodiscard]] tcp::endpoint endpoint() const {
    const auto parsed = parse_url(url);
    return {asio::ip::make_address(parsed->host), parsed->port};
  }

  asio::any_io_executor executor;
  runtime::WakeUp arrived;
  LinkOptions link_options;
  std::vector<std::pair<std::unique_ptr<Recorder>, std::unique_ptr<transport::Link>>> ends;
  std::unique_ptr<Server> server;
  std::string url;
};

constexpr std::string_view kHealth = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends raw bytes and returns all that comes back until the other side hangs up.
asio::awaitable<std::string> exchange(tcp::socket& socket, tcp::endpoint endpoint, std::string_view request) {
  co_await socket.async_connect(endpoint, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(request), kAwait);
  std::string answer;
  co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
  co_return answer;
}
asio::awaitable<std::string> exchange(tcp::endpoint endpoint, std::string request) {
  tcp::socket socket{co_await asio::this_coro::executor};
  co_return co_await exchange(socket, endpoint, request);
}

TEST(WebSocket, CarriesMessagesBothWays) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto link = co_await fixture.dial();
    EXPECT_TRUE(link) << (link ? "" : describe(link.error()));
    if (!link) co_return;
    Recorder here{fixture.executor};
    (*link)->listen(here);
    co_await fixture.wait_for(1);
    const std::string large(200'000, 'x');
    EXPECT_TRUE((*link)->send(as_bytes("one")));
    EXPECT_TRUE((*link)->send(as_bytes("")));
    EXPECT_TRUE((*link)->send(as_bytes(large)));
    EXPECT_EQ((*link)->buffered_amount(), 200'003_B);
    EXPECT_EQ(co_await fixture.heard(0).message(), "one");
    EXPECT_EQ(co_await fixture.heard(0).message(), "");
    EXPECT_EQ(co_await fixture.heard(0).message(), large);
    EXPECT_TRUE(fixture.end(0).send(as_bytes("back")));
    EXPECT_EQ(co_await here.message(), "back");
    EXPECT_EQ((*link)->buffered_amount(), 0_B);
    EXPECT_EQ((*link)->stats().messages_sent, 3U);
    EXPECT_EQ((*link)->stats().received, 4_B);
    EXPECT_EQ((*link)->path().remote, fixture.end(0).path().local);
    (*link)->close();
    EXPECT_EQ((co_await fixture.heard(0).closed()).code, Errc::closed);
    EXPECT_EQ((co_await here.closed()).code, Errc::closed);
    EXPECT_EQ((*link)->send(as_bytes("late")).error().code, Errc::closed);
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->connections(), 0U);
  });
}

TEST(WebSocket, SendsWhatWasAcceptedBeforeItCloses) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto link = co_await fixture.dial();
    Recorder here{fixture.executor};
    (*link)->listen(here);
    co_await fixture.wait_for(1);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE((*link)->send(as_bytes(std::string(100'000, 'y'))));
    (*link)->close();
    (*link)->close();
    for (int i = 0; i < 20; ++i) EXPECT_EQ((co_await fixture.heard(0).message()).size(), 100'000U);
    EXPECT_EQ((co_await here.closed()).code, Errc::closed);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocket, CountsWhatWaitsAndTellsWhenItIsLow) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {}, {.kind = MessageKind::binary, .hard_buffer = 8_MiB}};
    auto link = co_await fixture.dial();
    Recorder here{fixture.executor};
    (*link)->listen(here);
    (*link)->set_buffered_amount_low_threshold(64_KiB);
    const std::string chunk(256 * 1024, 'z');
    int accepted = 0;
    Status status;
    while ((status = (*link)->send(as_bytes(chunk)))) ++accepted;
    EXPECT_EQ(status.error().code, Errc::limit_exceeded);
    EXPECT_EQ(accepted, 32);
    EXPECT_EQ((*link)->buffered_amount(), 8_MiB);
    EXPECT_EQ((*link)->send(as_bytes(chunk + "!")).error().code, Errc::limit_exceeded);
    co_await here.low();
    EXPECT_LE((*link)->buffered_amount(), 64_KiB);
    co_await fixture.wait_for(1);
    for (int i = 0; i < accepted; ++i) EXPECT_EQ((co_await fixture.heard(0).message()).size(), chunk.size());
    EXPECT_EQ(here.low_count(), 1);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocket, EndsALinkWhoseMessageIsTooLargeOrOfTheWrongKind) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {}, {.kind = MessageKind::text, .max_message_size = 32_KiB}};
    fixture.link_options = {.kind = MessageKind::text, .max_message_size = 1_MiB};
    auto large = co_await fixture.dial();
    Recorder here{fixture.executor};
    (*large)->listen(here);
    EXPECT_TRUE((*large)->send(as_bytes(std::string(32 * 1024 + 1, 'x'))));
    EXPECT_EQ((co_await here.closed()).code, Errc::limit_exceeded);  // 1009
    co_await fixture.wait_for(1);
    EXPECT_EQ((co_await fixture.heard(0).closed()).code, Errc::limit_exceeded);

    fixture.link_options = {.kind = MessageKind::binary};
    auto binary = co_await fixture.dial();
    Recorder there{fixture.executor};
    (*binary)->listen(there);
    EXPECT_TRUE((*binary)->send(as_bytes("bytes")));
    EXPECT_EQ((co_await there.closed()).code, Errc::protocol_violation);  // 1003
    co_await fixture.wait_for(2);
    EXPECT_EQ((co_await fixture.heard(1).closed()).code, Errc::protocol_violation);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocket, TellsWhyWhenTheServerStops) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto link = co_await fixture.dial();
    Recorder here{fixture.executor};
    (*link)->listen(here);
    co_await fixture.wait_for(1);
    co_await fixture.server->stop("gone for lunch");
    const Error reason = co_await here.closed();
    EXPECT_EQ(reason.code, Errc::closed);
    EXPECT_NE(reason.message.find("1001"), std::string::npos) << reason.message;
    EXPECT_NE(reason.message.find("gone for lunch"), std::string::npos) << reason.message;
    EXPECT_EQ((co_await fixture.heard(0).closed()).code, Errc::closed);
  });
}

TEST(WebSocket, StopCutsWhoDoesNotAnswerTheClose) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {}, {.kind = MessageKind::text, .close_timeout = 100ms}};
    auto deaf = co_await fixture.dial();  // never listens, so it never reads the close frame
    co_await fixture.wait_for(1);
    co_await fixture.server->stop("over");
    EXPECT_EQ((co_await fixture.heard(0).closed()).code, Errc::closed);
    EXPECT_EQ(fixture.server->connections(), 0U);
  });
}

TEST(WebSocket, NoticesAPeerThatVanishesOrFallsSilent) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {}, {.kind = MessageKind::text, .idle_timeout = 200ms}};
    auto silent = co_await fixture.dial();  // reads nothing, so it answers no ping
    auto vanishing = co_await fixture.dial();
    co_await fixture.wait_for(2);
    vanishing->reset();
    EXPECT_EQ((co_await fixture.heard(1).closed()).code, Errc::link_lost);
    const Error reason = co_await fixture.heard(0).closed();
    EXPECT_EQ(reason.code, Errc::link_lost);
    EXPECT_NE(reason.message.find("silent"), std::string::npos);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocket, StaysUpWhileQuietWhenPingsAreAnswered) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {}, {.kind = MessageKind::text, .idle_timeout = 200ms}};
    auto link = co_await fixture.dial();
    Recorder here{fixture.executor};
    (*link)->listen(here);
    co_await fixture.wait_for(1);
    asio::steady_timer quiet{fixture.executor, 1s};
    co_await quiet.async_wait(asio::use_awaitable);
    EXPECT_TRUE((*link)->send(as_bytes("still here")));
    EXPECT_EQ(co_await fixture.heard(0).message(), "still here");
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, AnswersPlainRequests) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const auto at = fixture.endpoint();
    const std::string found = co_await exchange(at, "GET /healthz?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(found.starts_with("HTTP/1.1 200")) << found;
    EXPECT_TRUE(found.ends_with("{\"from\":\"127.0.0.1\",\"query\":\"x=1\"}")) << found;
    const std::string head = co_await exchange(at, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n")) << head;
    const auto status = [&](std::string request) -> asio::awaitable<std::string> {
      const std::string answer = co_await exchange(at, std::move(request));
      co_return answer.substr(0, 12);
    };
    EXPECT_EQ(co_await status("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 404");
    EXPECT_EQ(co_await status("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
              "HTTP/1.1 405");
    EXPECT_EQ(co_await status("GET /v1/echo HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 426");
    EXPECT_EQ(co_await status(
                  "GET /other HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
              "HTTP/1.1 404");
    EXPECT_EQ(
        co_await status("GET /v1/echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n\r\n"),
        "HTTP/1.1 426");
    EXPECT_EQ(
        co_await status("GET /v1/echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n"),
        "HTTP/1.1 400");
    EXPECT_EQ(co_await status("\x16\x03\x01 what is this\r\n\r\n"), "HTTP/1.1 400");
    EXPECT_EQ(co_await status("GET /healthz HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
              "HTTP/1.1 431");
    EXPECT_EQ(fixture.server->count(ServerCount::answered), 2U);
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 8U);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, EndsARequestThatTricklesIn) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard,
                    {.tls = {}, .limits = {.admission = {.request = {.longest = 300ms, .shortest = 300ms}}}}};
    tcp::socket socket{fixture.executor};
    co_await socket.async_connect(fixture.endpoint(), asio::use_awaitable);
    asio::steady_timer pause{fixture.executor};
    int sent = 0;
    for (boost::system::error_code error; !error && sent < 1000; ++sent) {
      pause.expires_after(20ms);
      co_await pause.async_wait(asio::use_awaitable);
      std::tie(error, std::ignore) = co_await socket.async_send(asio::buffer("G", 1), kAwait);
    }
    EXPECT_LT(sent, 1000);
    EXPECT_EQ(fixture.server->count(ServerCount::timed_out), 1U);
    EXPECT_EQ(fixture.server->connections(), 0U);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, RefusesMoreConnectionsThanItMayHave) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{
        shard, {.tls = {}, .limits = {.admission = {.connections_per_address = 2, .loopback = kCounted}}}};
    auto first = co_await fixture.dial();
    auto second = co_await fixture.dial();
    const auto third = co_await fixture.dial();
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(third);
    if (!third) {
      EXPECT_EQ(third.error().code, Errc::refused) << third.error().message;
    }
    EXPECT_EQ(fixture.server->count(ServerCount::address_full), 1U);
    Recorder here{fixture.executor};
    (*second)->listen(here);
    co_await fixture.wait_for(2);
    fixture.end(1).close();
    co_await here.closed();
    co_await fixture.heard(1).closed();
    EXPECT_TRUE(co_await fixture.dial());  // room again
    first->reset();
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, TakesOtherLimitsForThoseThatCome) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    AdmissionLimits limits{.connections_per_address = 2, .loopback = kCounted};
    Fixture fixture{shard, {.tls = {}, .limits = {.admission = limits}}};
    auto first = co_await fixture.dial();
    auto second = co_await fixture.dial();
    EXPECT_TRUE(first && second);
    limits.connections_per_address = 1;
    fixture.server->set_admission(limits);
    EXPECT_FALSE(co_await fixture.dial());
    EXPECT_EQ(fixture.server->connections(), 2U) << "who is there stays";
    limits.connections_per_address = 3;
    fixture.server->set_admission(limits);
    const auto third = co_await fixture.dial();
    EXPECT_TRUE(third);
    EXPECT_FALSE(co_await fixture.dial());
    limits.loopback = AdmissionLimits::Loopback::unlimited;
    fixture.server->set_admission(limits);
    EXPECT_TRUE(co_await fixture.dial());
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, LetsThisMachineHaveAllTheConnectionsThatThereAre) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{
        shard,
        {.tls = {},
         .limits = {.admission = {.connections = 3, .page_reserve = 0, .connections_per_address = 1}}}};
    std::vector<std::unique_ptr<transport::Link>> links;
    for (int i = 0; i < 3; ++i) {
      auto link = co_await fixture.dial();
      EXPECT_TRUE(link);
      if (link) links.push_back(std::move(*link));
    }
    EXPECT_FALSE(co_await fixture.dial());
    EXPECT_EQ(fixture.server->count(ServerCount::full), 1U);
    EXPECT_EQ(fixture.server->count(ServerCount::address_full), 0U);
    links.clear();
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, ServesOthersWhileOneAddressOnlyOpensConnections) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.tls = {}, .limits = {.admission = {.handshakes = 3, .loopback = kCounted}}}};
    std::vector<tcp::socket> silent;
    for (int i = 0; i < 9; ++i) {
      silent.emplace_back(fixture.executor);
      co_await silent.back().async_connect(fixture.endpoint(), asio::use_awaitable);
    }
    std::set<std::string> told;
    for (std::size_t i = 0; i < 6; ++i) {
      std::string answer;
      auto [error, size] = co_await asio::async_read(silent[i], asio::dynamic_buffer(answer), kAwait);
      EXPECT_EQ(error, asio::error::eof);
      EXPECT_EQ(answer.substr(0, 13), "HTTP/1.1 503 ") << i << ": the oldest gives way";
      told.insert(answer.substr(answer.find("Retry-After: ")));
    }
    EXPECT_EQ(told.size(), 6U) << "they would all come back in the same second";
    EXPECT_EQ(fixture.server->count(ServerCount::gave_way), 6U);
    for (const char* const from : {"127.0.0.2", "127.0.0.1"}) {
      tcp::socket other{fixture.executor, tcp::endpoint{asio::ip::make_address(from), 0}};
      const std::string answer = co_await exchange(other, fixture.endpoint(), kHealth);
      EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200") << from;
    }
    EXPECT_EQ(fixture.server->count(ServerCount::full) + fixture.server->count(ServerCount::address_full),
              0U);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, AnswersPagesWhileAllConnectionsAreTaken) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard,
                    {.tls = {},
                     .limits = {.admission = {.connections = 2,
                                              .page_reserve = 1,
                                              .loopback = kCounted,
                                              .retry_after_min = 70s,
                                              .retry_after_max = 70s}}}};
    auto first = co_await fixture.dial();
    auto second = co_await fixture.dial();
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(co_await fixture.dial());
    EXPECT_EQ(fixture.server->count(ServerCount::full), 1U);
    std::vector<tcp::socket> silent;
    for (int i = 0; i < 3; ++i) {
      silent.emplace_back(fixture.executor);
      co_await silent.back().async_connect(fixture.endpoint(), asio::use_awaitable);
    }
    tcp::socket probe{fixture.executor};
    const std::string answer = co_await exchange(probe, fixture.endpoint(), kHealth);
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, AnswersPagesWhileAnotherAddressLingersInTheWholeReserve) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard,
                    {.tls = {},
                     .limits = {.admission = {.connections = 1, .page_reserve = 2, .loopback = kCounted},
                                .linger = 8 * testing::kPatience}}};
    auto link = co_await fixture.dial();
    EXPECT_TRUE(link);
    std::vector<tcp::socket> lingering;
    for (int i = 0; i < 6; ++i) {
      tcp::socket& socket = lingering.emplace_back(fixture.executor);
      co_await socket.async_connect(fixture.endpoint(), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(kHealth), kAwait);
      std::string answer;
      co_await asio::async_read_until(socket, asio::dynamic_buffer(answer), '}', kAwait);
      EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200") << i;
    }
    tcp::socket probe{fixture.executor, tcp::endpoint{asio::ip::make_address("127.0.0.2"), 0}};
    const std::string answer = co_await exchange(probe, fixture.endpoint(), kHealth);
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
    EXPECT_EQ(fixture.server->count(ServerCount::full), 0U);
    EXPECT_EQ(fixture.server->count(ServerCount::gave_way), 0U) << "they have lost nothing";
    lingering.clear();
    probe.close();
    link->reset();
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, IsNotFullForAPageThatIsTheLastConnectionThereMayBe) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.tls = {}, .limits = {.admission = {.connections = 2, .page_reserve = 1}}}};
    fixture.server->on_get("/full", [&fixture](const transport::HttpRequest&) {
      return transport::HttpResponse{.body = fixture.server->is_full() ? "full" : "room"};
    });
    constexpr std::string_view kFull = "GET /full HTTP/1.1\r\nHost: x\r\n\r\n";
    auto first = co_await fixture.dial();
    tcp::socket probe{fixture.executor};
    std::string answer = co_await exchange(probe, fixture.endpoint(), kFull);
    EXPECT_TRUE(answer.ends_with("room")) << answer;
    probe.close();
    while (fixture.server->connections() > 1) co_await asio::post(fixture.executor, asio::use_awaitable);
    auto second = co_await fixture.dial();
    EXPECT_TRUE(first && second);
    tcp::socket again{fixture.executor};
    answer = co_await exchange(again, fixture.endpoint(), kFull);
    EXPECT_TRUE(answer.ends_with("full")) << answer;
    again.close();
    first->reset();
    second->reset();
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, CountsNoHandshakeOnceTheRequestIsRead) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.tls = {}, .limits = {.admission = {.handshakes = 1, .loopback = kCounted}}}};
    tcp::socket lingering{fixture.executor};
    co_await lingering.async_connect(fixture.endpoint(), asio::use_awaitable);
    co_await asio::async_write(lingering, asio::buffer(kHealth), kAwait);
    std::array<char, 1> first{};
    co_await lingering.async_read_some(asio::buffer(first), kAwait);  // answered, and does not hang up
    EXPECT_TRUE(co_await fixture.dial());
    EXPECT_EQ(fixture.server->count(ServerCount::gave_way), 0U);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, SaysWhichPortIsTaken) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const auto again = fixture.server->listen({.address = "127.0.0.1", .port = fixture.endpoint().port()});
    EXPECT_FALSE(again);
    if (!again) {
      EXPECT_EQ(again.error().code, Errc::address_in_use);
      EXPECT_NE(again.error().message.find(std::to_string(fixture.endpoint().port())), std::string::npos);
    }
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketServer, ServesPlainOnLoopbackOnly) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    for (const std::string address : {"0.0.0.0", "192.0.2.1", "::"}) {
      const auto refused = fixture.server->listen({.address = address, .port = 0});
      EXPECT_FALSE(refused) << address;
      if (!refused) {
        EXPECT_EQ(refused.error().code, Errc::permission_denied) << refused.error().message;
      }
    }
    EXPECT_EQ(fixture.server->listen({.address = "hub.example", .port = 0}).error().code,
              Errc::invalid_argument);
    co_await fixture.server->stop("over");
  });
}

class WithTls {
 public:
  WithTls()
      : files_(*development_certificate(folder_.path())), fingerprint_(*fingerprint_of(files_.certificate)) {}
  [[nodiscard]] ServerOptions options() const { return {.tls = files_, .limits = {}}; }
  [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }

 private:
  testing::TemporaryFolder folder_;
  PemFiles files_;
  Fingerprint fingerprint_;
};

TEST(WebSocketTls, CarriesMessagesWhenThePinIsRight) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const WithTls tls;
    Fixture fixture{shard, tls.options()};
    EXPECT_TRUE(fixture.url.starts_with("wss://127.0.0.1:"));
    EXPECT_EQ(fixture.server->fingerprint(), tls.fingerprint());
    const ConnectOptions options{
        .path = "/v1/echo", .link = {.kind = MessageKind::text}, .pin = tls.fingerprint()};
    auto link = co_await connect(fixture.url, options);
    EXPECT_TRUE(link) << (link ? "" : describe(link.error()));
    if (!link) co_return co_await fixture.server->stop("over");
    Recorder here{fixture.executor};
    (*link)->listen(here);
    co_await fixture.wait_for(1);
    EXPECT_TRUE((*link)->send(as_bytes(std::string(100'000, 's'))));
    EXPECT_EQ((co_await fixture.heard(0).message()).size(), 100'000U);
    EXPECT_TRUE(fixture.end(0).send(as_bytes("back")));
    EXPECT_EQ(co_await here.message(), "back");
    co_await fixture.server->stop("over");
    EXPECT_EQ((co_await here.closed()).code, Errc::closed);
  });
}

TEST(WebSocketTls, LetsTheLastWordArriveBeforeItEnds) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const WithTls tls;
    Fixture fixture{shard, tls.options(), {.kind = MessageKind::text, .max_message_size = 32_KiB}};
    const ConnectOptions options{
        .path = "/v1/echo", .link = {.kind = MessageKind::text}, .pin = tls.fingerprint()};
    auto link = co_await connect(fixture.url, options);
    Recorder here{fixture.executor};
    (*link)->listen(here);
    EXPECT_TRUE((*link)->send(as_bytes(std::string(200 * 1024, 'x'))));
    EXPECT_EQ((co_await here.closed()).code, Errc::limit_exceeded);  // 1009
    co_await fixture.wait_for(1);
    EXPECT_EQ((co_await fixture.heard(0).closed()).code, Errc::limit_exceeded);
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketTls, ShowsBothFingerprintsWhenThePinIsWrong) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const WithTls tls;
    Fixture fixture{shard, tls.options()};
    const std::string wrong = "sha256:" + std::string(64, '0');
    const ConnectOptions options{.path = "/v1/echo", .pin = wrong};
    const auto link = co_await connect(fixture.url, options);
    EXPECT_FALSE(link);
    if (!link) {
      EXPECT_EQ(link.error().code, Errc::permission_denied);
      EXPECT_NE(link.error().message.find(wrong), std::string::npos);
      EXPECT_NE(link.error().message.find(tls.fingerprint()), std::string::npos);
    }
    co_await fixture.server->stop("over");
    EXPECT_TRUE(fixture.ends.empty());
  });
}

TEST(WebSocketTls, RefusesACertificateThatNobodyVouchesFor) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const WithTls tls;
    Fixture fixture{shard, tls.options()};
    const ConnectOptions options{.path = "/v1/echo"};
    const auto link = co_await connect(fixture.url, options);
    EXPECT_FALSE(link);
    if (!link) {
      EXPECT_EQ(link.error().code, Errc::permission_denied);
      EXPECT_NE(link.error().message.find(tls.fingerprint()), std::string::npos) << link.error().message;
      EXPECT_NE(link.error().message.find("self"), std::string::npos) << link.error().message;
    }
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->count(ServerCount::tls_failed), 1U);
  });
}

TEST(WebSocketTls, SaysSoWhenOnlyOneSideSpeaksTls) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const WithTls tls;
    Fixture with{shard, tls.options()};
    Fixture without{shard};
    const ConnectOptions options{.path = "/v1/echo"};
    const auto plain = co_await connect("ws" + with.url.substr(3), options);
    EXPECT_FALSE(plain);
    const auto secure = co_await connect("wss" + without.url.substr(2), options);
    EXPECT_FALSE(secure);
    if (!secure) {
      EXPECT_EQ(secure.error().code, Errc::protocol_violation) << secure.error().message;
    }
    co_await with.server->stop("over");
    co_await without.server->stop("over");
  });
}

TEST(WebSocketTls, TakesUpANewCertificateAndKeepsTheOldOneWhenItIsHalfWritten) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    const testing::TemporaryFolder renewed;
    const PemFiles files = *development_certificate(folder.path());
    const PemFiles fresh = *development_certificate(renewed.path());
    Fixture fixture{shard, {.tls = files, .limits = {}}};
    const std::string old_pin = *fingerprint_of(files.certificate);
    const ConnectOptions old_options{.path = "/v1/echo", .link = {.kind = MessageKind::text}, .pin = old_pin};
    Recorder here{fixture.executor};
    auto before = co_await connect(fixture.url, old_options);
    EXPECT_TRUE(before);
    std::filesystem::copy_file(fresh.certificate, files.certificate,
                               std::filesystem::copy_options::overwrite_existing);
    const auto half = fixture.server->reload_tls(files);
    EXPECT_FALSE(half) << "the key is still the old one";
    EXPECT_EQ(fixture.server->fingerprint(), old_pin);
    EXPECT_TRUE(co_await connect(fixture.url, old_options));
    std::filesystem::copy_file(fresh.key, files.key, std::filesystem::copy_options::overwrite_existing);
    EXPECT_TRUE(fixture.server->reload_tls(files));
    const ConnectOptions new_options{
        .path = "/v1/echo", .link = {.kind = MessageKind::text}, .pin = *fingerprint_of(fresh.certificate)};
    EXPECT_EQ(fixture.server->fingerprint(), new_options.pin);
    EXPECT_TRUE(co_await connect(fixture.url, new_options));
    EXPECT_FALSE(co_await connect(fixture.url, old_options));
    if (before) {
      (*before)->listen(here);
      EXPECT_TRUE(fixture.end(0).send(as_bytes("still here")));
      EXPECT_EQ(co_await here.message(), "still here") << "who is connected stays";
    }
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketTls, RefusesAKeyThatOthersMayUse) {
  asio::io_context shard;
  const testing::TemporaryFolder folder;
  const PemFiles files = *development_certificate(folder.path());
  std::filesystem::permissions(files.key, std::filesystem::perms{0644});
  const auto refused = Server::create(shard.get_executor(), {.tls = files, .limits = {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::permission_denied);
  EXPECT_NE(refused.error().message.find("chmod 600 " + files.key.string()), std::string::npos);
}

TEST(WebSocketTls, RefusesFilesThatDoNotWork) {
  asio::io_context shard;
  const testing::TemporaryFolder one;
  const testing::TemporaryFolder two;
  const auto a = development_certificate(one.path());
  const auto b = development_certificate(two.path());
  const auto create = [&](const PemFiles& files) {
    return Server::create(shard.get_executor(), {.tls = files, .limits = {}}).error().code;
  };
  EXPECT_EQ(create({.certificate = "/nowhere", .key = a->key}), Errc::not_found);
  EXPECT_EQ(create({.certificate = a->certificate, .key = b->key}), Errc::malformed);
  EXPECT_EQ(create({.certificate = "/dev/null", .key = a->key}), Errc::malformed);
}

TEST(WebSocketClient, SaysWhatHappened) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    // Options are named everywhere: GCC 12 copies temporaries of an awaited expression bit by bit.
    const auto failing = [](std::string url, const ConnectOptions& options) -> asio::awaitable<Error> {
      auto link = co_await connect(std::move(url), options);
      EXPECT_FALSE(link);
      co_return link ? Error{.code = Errc::cancelled, .message = {}} : link.error();
    };
    const ConnectOptions usual;
    const ConnectOptions elsewhere{.path = "/nowhere"};
    const ConnectOptions broken_pin{.pin = "sha256:1"};
    const ConnectOptions hasty{.timeout = 200ms};
    const Error status = co_await failing(fixture.url, elsewhere);
    EXPECT_EQ(status.code, Errc::refused);
    EXPECT_NE(status.message.find("404"), std::string::npos) << status.message;
    EXPECT_EQ((co_await failing("http://a", usual)).code, Errc::invalid_argument);
    EXPECT_EQ((co_await failing(fixture.url, broken_pin)).code, Errc::invalid_argument);
    EXPECT_EQ((co_await failing("ws://192.0.2.1:7788", usual)).code, Errc::permission_denied);
    const Error unknown = co_await failing("ws://no.such.host.invalid:1", usual);
    EXPECT_EQ(unknown.code, Errc::not_found) << unknown.message;

    tcp::acceptor mute{fixture.executor, {asio::ip::address_v4::loopback(), 0}};
    const std::string mute_url = "ws://127.0.0.1:" + std::to_string(mute.local_endpoint().port());
    EXPECT_EQ((co_await failing(mute_url, hasty)).code, Errc::timed_out);
    mute.close();
    const Error refused = co_await failing(mute_url, usual);
    EXPECT_EQ(refused.code, Errc::unreachable);
    EXPECT_NE(refused.message.find("nothing listens"), std::string::npos) << refused.message;
    co_await fixture.server->stop("over");
  });
}

TEST(WebSocketClient, CanBeCancelledWhileItConnects) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    tcp::acceptor mute{shard, {asio::ip::address_v4::loopback(), 0}};
    asio::cancellation_signal stop;
    bool cancelled = false;
    runtime::WakeUp ended{shard.get_executor()};
    asio::co_spawn(shard, connect("ws://127.0.0.1:" + std::to_string(mute.local_endpoint().port()), {}),
                   asio::bind_cancellation_slot(stop.slot(), [&](const std::exception_ptr& error, auto) {
                     try {
                       if (error) std::rethrow_exception(error);
                     } catch (const boost::system::system_error& e) {
                       cancelled = e.code() == asio::error::operation_aborted;
                     }
                     ended.notify();
                   }));
    tcp::socket arrived = co_await mute.async_accept(asio::use_awaitable);
    stop.emit(asio::cancellation_type::terminal);
    co_await ended.wait();
    EXPECT_TRUE(cancelled);
  });
}

}  // namespace
}  // namespace sluice::websocket
