#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
using transport::Forwarding;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// A server behind proxies at 127.0.0.1, which tells each client who it is taken for.
struct Fixture {
  Fixture(asio::io_context& shard, Forwarding forwarding,
          AdmissionLimits admission = {.connections_per_address = 1}) {
    auto created = Server::create(
        shard.get_executor(), {.tls = {},
                               .limits = {.admission = admission},
                               .proxies = {.trusted = transport::TrustedProxies::parse({"127.0.0.1"}).value(),
                                           .forwarding = forwarding}});
    EXPECT_TRUE(created);
    server = std::move(*created);
    server->on_get("/who", [](const transport::HttpRequest& request) {
      return transport::HttpResponse{.body = request.remote_address};
    });
    auto url = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(url);
    endpoint = {asio::ip::make_address("127.0.0.1"), parse_url(*url)->port};
  }

  /// What comes back until the server hangs up.
  asio::awaitable<std::string> exchange(std::string said, std::string from = "127.0.0.1") {
    tcp::socket socket{co_await asio::this_coro::executor, tcp::endpoint{asio::ip::make_address(from), 0}};
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(said), kAwait);
    std::string answer;
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
    co_return answer;
  }
  /// Who it is taken for, or the status.
  asio::awaitable<std::string> who(std::string said, std::string from = "127.0.0.1") {
    const std::string answer = co_await exchange(std::move(said), std::move(from));
    if (answer.starts_with("HTTP/1.1 200")) co_return answer.substr(answer.find("\r\n\r\n") + 4);
    co_return answer.empty() ? "nothing" : answer.substr(9, 3);
  }

  std::unique_ptr<Server> server;
  tcp::endpoint endpoint;
};

std::string request(std::string_view field = {}) {
  return "GET /who HTTP/1.1\r\nHost: x\r\n" + std::string{field} + "\r\n";
}

TEST(ServerProxies, TellTheClientByTheFieldThatIsChosen) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, Forwarding::x_forwarded_for};
    std::string said = request("X-Forwarded-For: 6.6.6.6, 203.0.113.5\r\n");
    std::string who = co_await fixture.who(said);
    EXPECT_EQ(who, "203.0.113.5");
    who = co_await fixture.who(said, "127.0.0.2");
    EXPECT_EQ(who, "127.0.0.2") << "nobody but a proxy is believed";
    said = request("Forwarded: for=203.0.113.5\r\n");
    who = co_await fixture.who(said);
    EXPECT_EQ(who, "127.0.0.1") << "the other field is the client's own";
    co_await fixture.server->stop("over");
  });
}

TEST(ServerProxies, MakeTheLimitsSeeTheClient) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, Forwarding::forwarded};
    const std::string said = request("Forwarded: for=203.0.113.5\r\n");
    tcp::socket lingering{shard};
    co_await lingering.async_connect(fixture.endpoint, asio::use_awaitable);
    co_await asio::async_write(lingering, asio::buffer(said), kAwait);
    std::array<char, 1> first{};
    co_await lingering.async_read_some(asio::buffer(first), kAwait);  // answered, and does not hang up
    std::string who = co_await fixture.who(said);
    EXPECT_EQ(who, "503");
    EXPECT_EQ(fixture.server->count(ServerCount::address_full), 1U);
    std::string other = request("Forwarded: for=203.0.113.6\r\n");
    who = co_await fixture.who(std::move(other));
    EXPECT_EQ(who, "203.0.113.6");
    lingering.close();
    co_await fixture.server->stop("over");
  });
}

TEST(ServerProxies, CountNoHandshakeOnceTheClientIsRejected) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, Forwarding::forwarded, {.connections_per_address = 1, .handshakes = 1}};
    const std::string said = request("Forwarded: for=203.0.113.5\r\n");
    std::array<tcp::socket, 2> lingering{tcp::socket{shard}, tcp::socket{shard}};
    for (tcp::socket& socket : lingering) {  // the second one is rejected, and does not hang up
      co_await socket.async_connect(fixture.endpoint, asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(said), kAwait);
      std::array<char, 1> first{};
      co_await socket.async_read_some(asio::buffer(first), kAwait);
    }
    EXPECT_EQ(fixture.server->count(ServerCount::address_full), 1U);
    std::string other = request("Forwarded: for=203.0.113.6\r\n");
    const std::string who = co_await fixture.who(std::move(other));
    EXPECT_EQ(who, "203.0.113.6");
    EXPECT_EQ(fixture.server->count(ServerCount::gave_way), 0U);
    for (tcp::socket& socket : lingering) socket.close();
    co_await fixture.server->stop("over");
  });
}

TEST(ServerProxies, LogTheRejectionsOfAWholeIpv6NetworkOnce) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, Forwarding::x_forwarded_for, {.connections_per_network = 1}};
    tcp::socket lingering{shard};
    co_await lingering.async_connect(fixture.endpoint, asio::use_awaitable);
    const std::string held = request("X-Forwarded-For: 2001:db8:1:ffff::1\r\n");
    co_await asio::async_write(lingering, asio::buffer(held), kAwait);
    std::array<char, 1> first{};
    co_await lingering.async_read_some(asio::buffer(first), kAwait);
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < 5; ++i) {
      std::string said = request("X-Forwarded-For: 2001:db8:1:" + std::to_string(i) + "::1\r\n");
      const std::string who = co_await fixture.who(std::move(said));
      EXPECT_EQ(who, "503");
    }
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(fixture.server->count(ServerCount::network_full), 5U);
    const std::string_view line = "rejected connections from 2001:db8:1::/48: ";
    EXPECT_NE(log.find(line), std::string::npos) << log;
    EXPECT_EQ(log.find("rejected"), log.rfind("rejected")) << log;
    lingering.close();
    co_await fixture.server->stop("over");
  });
}

TEST(ServerProxies, TellTheClientInFrontOfEverything) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, Forwarding::proxy_protocol};
    std::string said =
        "PROXY TCP4 203.0.113.5 198.51.100.1 4711 80\r\n" + request("X-Forwarded-For: 6.6.6.6\r\n");
    std::string who = co_await fixture.who(std::move(said));
    EXPECT_EQ(who, "203.0.113.5");
    said = std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x05\xC6\x33\x64\x01\x12\x34\0\x50", 28} +
           request();
    who = co_await fixture.who(std::move(said));
    EXPECT_EQ(who, "203.0.113.5");
    said = "PROXY UNKNOWN\r\n" + request();
    who = co_await fixture.who(std::move(said));
    EXPECT_EQ(who, "127.0.0.1");
    said = request();
    who = co_await fixture.who(std::move(said), "127.0.0.2");
    EXPECT_EQ(who, "127.0.0.2") << "others have no header";
    said = request();
    who = co_await fixture.who(std::move(said));
    EXPECT_EQ(who, "nothing");
    EXPECT_EQ(fixture.server->count(ServerCount::bad_proxy), 1U);
    co_await fixture.server->stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
