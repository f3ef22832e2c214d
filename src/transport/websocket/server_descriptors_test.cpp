#include <array>
#include <string>
#include <utility>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "core/testing.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

;

TEST(ServerDescriptors, AreMissedWithoutHangingClientsAndTheServerRecovers) {
  if (!sluice::testing::NoDescriptors::kCanBeBorne) GTEST_SKIP();
  testing::on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    auto created = Server::create(shard.get_executor(), {});
    EXPECT_TRUE(created);
    auto& server = **created;
    server.on_get("/healthz", [](const transport::HttpRequest&) { return transport::HttpResponse{}; });
    auto url = server.listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(url);
    const tcp::endpoint endpoint{asio::ip::make_address("127.0.0.1"), parse_url(*url)->port};
    tcp::socket hanging{shard};
    tcp::socket later{shard};
    later.open(tcp::v4());
    hanging.connect(endpoint);  // the server has not had a turn yet
    std::array<char, 1> byte{};
    {
      const sluice::testing::NoDescriptors none;
      const auto [error, size] = co_await hanging.async_read_some(asio::buffer(byte), kAwait);
      EXPECT_EQ(error, asio::error::eof) << error.message();
      EXPECT_EQ(server.count(ServerCount::no_descriptor), 1U);
    }
    co_await later.async_connect(endpoint, asio::use_awaitable);
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    co_await asio::async_write(later, asio::buffer(request), kAwait);
    std::string answer;
    co_await asio::async_read(later, asio::dynamic_buffer(answer), kAwait);
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
    co_await server.stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
