#include <array>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Lets this process open nothing more for as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);
    ::close(next);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next);
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(ServerDescriptors, AreMissedWithoutHangingClientsAndTheServerRecovers) {
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
      const NoDescriptors none;
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
