#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

/// That a server looks at `Host` and `Origin` before anything else, whatever the request is for.
namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr std::string_view kWebSocket =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

struct Fixture {
  explicit Fixture(asio::io_context& shard, transport::SiteRules rules = {}) {
    ServerOptions options;
    options.site = std::move(rules);
    server = std::move(*Server::create(shard.get_executor(), std::move(options)));
    server->on_get("/page", [this](const transport::HttpRequest&) {
      ++shown;
      return transport::HttpResponse{};
    });
    server->on_link("/link", {}, [this](transport::AcceptedLink) { ++links; });
    SocketOptions sockets;
    sockets.busy = [this](const transport::HttpRequest&) -> std::optional<std::chrono::seconds> {
      ++asked;
      return std::nullopt;
    };
    server->on_socket("/socket", sockets, [](transport::AcceptedSocket) {});
    const auto parsed = parse_url(*server->listen({.address = "127.0.0.1", .port = 0}));
    endpoint = {asio::ip::make_address(parsed->host), parsed->port};
    own = "127.0.0.1:" + std::to_string(parsed->port);
  }

  /// The status of the answer to a request with these lines.
  asio::awaitable<std::string> status(std::string request, std::string lines) {
    tcp::socket socket{co_await asio::this_coro::executor};
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    std::string whole = request + " HTTP/1.1\r\n" + lines + "\r\n";
    co_await asio::async_write(socket, asio::buffer(whole), kAwait);
    std::string answer;
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
    co_return answer.substr(9, 3);
  }

  std::unique_ptr<Server> server;
  tcp::endpoint endpoint;
  std::string own;
  int shown = 0;
  int links = 0;
  int asked = 0;
};

TEST(ServerSite, IsLookedAtBeforeTheUpgradeAndOnEveryPage) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const std::string own = "Host: " + fixture.own + "\r\n";
    const std::string socket{kWebSocket};
    for (const std::string target :
         {"GET /page", "GET /link", "GET /socket", "DELETE /page", "GET /nowhere"}) {
      const std::string lines = target.ends_with("t") || target.ends_with("k") ? socket : "";
      const std::string evil_host = "Host: evil.test\r\n" + lines;
      const std::string evil_page = own + "Origin: http://evil.test\r\n" + lines;
      const std::string other_port = own + "Origin: http://127.0.0.1:1\r\n" + lines;
      const std::string no_origin = own + "Origin: null\r\n" + lines;
      const std::string picture = own + "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n" + lines;
      const std::string two_hosts = own + own + lines;
      EXPECT_EQ(co_await fixture.status(target, evil_host), "403") << target;
      EXPECT_EQ(co_await fixture.status(target, evil_page), "403") << target;
      EXPECT_EQ(co_await fixture.status(target, other_port), "403") << target;
      EXPECT_EQ(co_await fixture.status(target, no_origin), "403") << target;
      EXPECT_EQ(co_await fixture.status(target, picture), "403") << target;
      EXPECT_EQ(co_await fixture.status(target, two_hosts), "400") << target;
      EXPECT_EQ(co_await fixture.status(target, lines), "400") << target;
    }
    EXPECT_EQ(fixture.shown + fixture.links + fixture.asked, 0);
    EXPECT_EQ(fixture.server->count(ServerCount::foreign_host), 5U);
    EXPECT_EQ(fixture.server->count(ServerCount::foreign_origin), 20U);
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 10U);
    const std::string own_page = own + "Origin: http://" + fixture.own + "\r\n";
    EXPECT_EQ(co_await fixture.status("GET /page", own), "200");
    EXPECT_EQ(co_await fixture.status("GET /page", own_page), "200");
    EXPECT_EQ(co_await fixture.status("GET /link", own_page + socket), "101");
    EXPECT_EQ(co_await fixture.status("GET /socket", own_page + socket), "101");
    co_await fixture.server->stop("over");
  });
}

TEST(ServerSite, TakesUpOtherRules) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.hosts = {"hub.example"}}};
    const std::string page = "Host: hub.example\r\nOrigin: https://app.example\r\n";
    EXPECT_EQ(co_await fixture.status("GET /page", page), "403");
    fixture.server->set_site_rules({.hosts = {"hub.example"}, .origins = {"https://app.example"}});
    EXPECT_EQ(co_await fixture.status("GET /page", page), "200");
    fixture.server->set_site_rules({});
    EXPECT_EQ(co_await fixture.status("GET /page", page), "403");
    EXPECT_EQ(fixture.server->count(ServerCount::foreign_host), 1U);
    co_await fixture.server->stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
