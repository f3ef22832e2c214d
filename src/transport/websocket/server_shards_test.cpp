#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/client.hpp"
#include "transport/websocket/frame.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
using testing::Recorder;
using namespace std::chrono_literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Sends every message back.
class Echo final : public transport::MessageSocketListener {
 public:
  explicit Echo(std::unique_ptr<transport::MessageSocket> accepted) : socket(std::move(accepted)) {
    socket->listen(*this);
  }
  void on_message(MessageKind kind, ByteView message) override {
    const Frames answer = encode_frames(kind, std::array{message});
    EXPECT_EQ(socket->write(answer.bytes()), answer.bytes().size());
  }
  void on_writable() override {}
  void on_closed(const Error& reason) override { closed = reason; }

  std::unique_ptr<transport::MessageSocket> socket;
  std::optional<Error> closed;
};

/// An event loop on a thread of its own, or on none, with the sockets that came there.
class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  /// Sockets go after the thread that used them, and before the loop that they are on.
  ~Loop() {
    guard_.reset();
    context.stop();
    if (thread_.joinable()) thread_.join();
  }
  void run() {
    thread_ = std::thread{[this] { context.run(); }};
  }
  SocketShard shard() {
    return {.executor = context.get_executor(), .handler = [this](transport::AcceptedSocket accepted) {
              if (thread_.joinable()) {
                EXPECT_EQ(std::this_thread::get_id(), thread_.get_id());
              }
              queries.push_back(accepted.query);
              echoes.emplace_back(std::move(accepted.socket));
            }};
  }
  /// Runs it there.
  void ask(std::function<void()> what) { asio::post(context, std::move(what)); }
  void close_all() {
    ask([this] {
      for (Echo& echo : echoes) echo.socket->close({.code = 4001, .text = "enough"});
    });
  }

  asio::io_context context{1};
  std::list<Echo> echoes;            ///< Of its thread, as are the queries.
  std::vector<std::string> queries;  ///< In the order in which they came.

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_ = asio::make_work_guard(context);
  std::thread thread_;
};

struct Fixture {
  Fixture(asio::io_context& shard, std::vector<SocketShard> shards, ServerOptions server_options = {},
          SocketOptions options = {})
      : executor(shard.get_executor()) {
    auto created = Server::create(executor, std::move(server_options));
    EXPECT_TRUE(created) << (created ? "" : describe(created.error()));
    server = std::move(*created);
    server->on_socket("/v1/ws", std::move(options), std::move(shards));
    auto bound = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(bound) << (bound ? "" : describe(bound.error()));
    url = *bound;
  }
  [[nodiscard]] tcp::endpoint endpoint() const {
    const auto parsed = parse_url(url);
    return {asio::ip::make_address(parsed->host), parsed->port};
  }
  asio::awaitable<void> all_gone() const {
    asio::steady_timer pause{executor};
    while (server->connections() > 0) {
      pause.expires_after(1ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  asio::any_io_executor executor;
  std::unique_ptr<Server> server;
  std::string url;
};

std::string upgrade_request(std::string_view query) {
  return "GET /v1/ws?" + std::string{query} +
         " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

/// The header of the server's answer.
template <typename Stream>
asio::awaitable<std::string> ask(Stream& stream, std::string request) {
  co_await asio::async_write(stream, asio::buffer(request), kAwait);
  std::string head;
  co_await asio::async_read_until(stream, asio::dynamic_buffer(head), "\r\n\r\n", kAwait);
  co_return head;
}

asio::awaitable<void> dial(tcp::socket& socket, const Fixture& fixture) {
  co_await socket.async_connect(fixture.endpoint(), asio::use_awaitable);
}

/// Fifty clients, each of which hears what it said, on two loops with a thread each.
asio::awaitable<void> echo_fifty(asio::io_context& shard, ServerOptions server_options,
                                 std::optional<Fingerprint> pin) {
  constexpr std::size_t kClients = 50;
  Loop one;
  Loop two;
  Fixture fixture{shard, {one.shard(), two.shard()}, std::move(server_options)};
  one.run();
  two.run();
  std::list<Recorder> heard;
  std::vector<std::unique_ptr<transport::Link>> links;
  const ConnectOptions options{.path = "/v1/ws", .link = {.kind = MessageKind::text}, .pin = std::move(pin)};
  for (std::size_t i = 0; i < kClients; ++i) {
    auto link = co_await connect(fixture.url, options);
    EXPECT_TRUE(link) << (link ? "" : describe(link.error()));
    if (!link) break;
    heard.emplace_back(fixture.executor);
    (*link)->listen(heard.back());
    links.push_back(std::move(*link));
  }
  for (int round = 0; round < 20; ++round) {
    const std::string filling(static_cast<std::size_t>(round) * 100, 'f');
    for (std::size_t i = 0; i < links.size(); ++i)
      EXPECT_TRUE(links[i]->send(as_bytes(std::to_string(i) + filling)));
    std::size_t i = 0;
    for (Recorder& recorder : heard) {
      const std::string expected = std::to_string(i++) + filling;
      const std::string message = co_await recorder.message();
      EXPECT_EQ(message, expected);
    }
  }
  EXPECT_EQ(fixture.server->connections(), kClients);
  one.close_all();
  two.close_all();
  co_await fixture.server->stop("over");
  EXPECT_EQ(fixture.server->connections(), 0U);
  for (Recorder& recorder : heard) {
    const Error reason = co_await recorder.closed();
    EXPECT_NE(reason.message.find("4001"), std::string::npos) << reason.message;
  }
  // They are all gone: nobody else uses them now.
  EXPECT_EQ(one.echoes.size(), kClients / 2);
  EXPECT_EQ(two.echoes.size(), kClients / 2);
}

TEST(ServerShards, DealOutConnectionsInTurn) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    ServerOptions plain;
    co_await echo_fifty(shard, plain, std::nullopt);
  });
}

TEST(ServerShards, TakeTlsAlong) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    const auto pem = development_certificate(folder.path());
    EXPECT_TRUE(pem);
    ServerOptions secure;
    secure.tls = *pem;
    const auto pin = fingerprint_of(pem->certificate);
    EXPECT_TRUE(pin);
    co_await echo_fifty(shard, secure, *pin);
  });
}

TEST(ServerShards, ReadWhatCameBehindTheRequest) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    const auto pem = development_certificate(folder.path());
    EXPECT_TRUE(pem);
    ServerOptions secure;
    secure.tls = *pem;
    Loop loop;
    Fixture fixture{shard, {loop.shard()}, secure};
    loop.run();
    asio::ssl::context context{asio::ssl::context::tls_client};
    asio::ssl::stream<tcp::socket> client{fixture.executor, context};
    co_await client.lowest_layer().async_connect(fixture.endpoint(), asio::use_awaitable);
    co_await client.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    // One record: its end is still in OpenSSL when the connection moves.
    const std::string text(9'000, 't');
    ByteBuffer frame;
    append_client_frame(frame, {.opcode = Opcode::text,
                                .payload = as_bytes(text),
                                .mask = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}});
    std::string request = upgrade_request("");
    request += as_text(frame);
    co_await asio::async_write(client, asio::buffer(request), kAwait);
    std::string answer;
    const auto [error, size] =
        co_await asio::async_read_until(client, asio::dynamic_buffer(answer), text, kAwait);
    EXPECT_FALSE(error) << error.message() << answer.substr(0, 300);
    client.lowest_layer().close();
    co_await fixture.all_gone();
    co_await fixture.server->stop("over");
  });
}

TEST(ServerShards, AreWaitedForWithinALimit) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Loop loop;
    ServerOptions hasty;
    hasty.limits.stop = 50ms;
    Fixture fixture{shard, {loop.shard()}, hasty};
    loop.run();
    tcp::socket client{fixture.executor};
    co_await dial(client, fixture);
    const std::string head = co_await ask(client, upgrade_request(""));
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    co_await fixture.server->stop("over");  // which does not end what is another's
    EXPECT_EQ(fixture.server->connections(), 1U);
    loop.ask([&] { loop.echoes.clear(); });
    std::array<char, 64> scrap{};
    const auto [error, size] = co_await client.async_read_some(asio::buffer(scrap), kAwait);
    EXPECT_EQ(error, asio::error::connection_reset) << size;
    co_await fixture.all_gone();
  });
}

TEST(ServerShards, MayHaveStopped) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    auto stuck = std::make_unique<Loop>();  // it never runs
    ServerOptions hasty;
    hasty.limits.stop = 50ms;
    Fixture fixture{shard, {stuck->shard()}, hasty};
    tcp::socket client{fixture.executor};
    co_await dial(client, fixture);
    const std::string head = co_await ask(client, upgrade_request(""));
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->connections(), 1U);
    fixture.server.reset();
    stuck.reset();  // and with it the connection that waited to be taken
    std::array<char, 1> scrap{};
    const auto [error, size] = co_await client.async_read_some(asio::buffer(scrap), kAwait);
    EXPECT_EQ(error, asio::error::eof);
  });
}

TEST(ServerShards, MayHaveStoppedWithTheirSockets) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    auto loop = std::make_unique<Loop>();
    ServerOptions hasty;
    hasty.limits.stop = 50ms;
    Fixture fixture{shard, {loop->shard()}, hasty};
    std::list<tcp::socket> clients;
    for (int i = 0; i < 3; ++i) {
      co_await dial(clients.emplace_back(fixture.executor), fixture);
      const std::string head = co_await ask(clients.back(), upgrade_request(std::to_string(i)));
      EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    }
    loop->context.poll_one();  // one is taken, two are not
    EXPECT_EQ(loop->queries, std::vector<std::string>{"0"});
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->connections(), 3U);
    loop.reset();
    co_await fixture.all_gone();
  });
}

TEST(ServerShards, MayBeTheServersOwn) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    std::list<Echo> here;
    Loop loop;
    std::vector<SocketShard> shards{
        {.executor = shard.get_executor(),
         .handler =
             [&](transport::AcceptedSocket accepted) { here.emplace_back(std::move(accepted.socket)); }},
        loop.shard()};
    SocketOptions options;
    options.close_timeout = 50ms;
    Fixture fixture{shard, std::move(shards), {}, options};
    loop.run();
    std::list<tcp::socket> clients;
    for (int i = 0; i < 4; ++i) {
      co_await dial(clients.emplace_back(fixture.executor), fixture);
      const std::string head = co_await ask(clients.back(), upgrade_request(""));
      EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    }
    EXPECT_EQ(here.size(), 2U);
    loop.close_all();
    co_await fixture.server->stop("going home");
    EXPECT_EQ(fixture.server->connections(), 0U);
    std::vector<std::string> goodbyes;
    for (tcp::socket& client : clients) {
      std::string rest;
      co_await asio::async_read(client, asio::dynamic_buffer(rest), kAwait);
      goodbyes.push_back(rest.size() < 4 ? rest : rest.substr(4));
    }
    EXPECT_EQ(goodbyes, (std::vector<std::string>{"going home", "enough", "going home", "enough"}));
    for (Echo& echo : here) EXPECT_TRUE(echo.closed);
  });
}

TEST(ServerShards, MayTurnSomeAway) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Loop loop;
    SocketOptions options;
    std::vector<std::string> asked;
    options.busy = [&](const transport::HttpRequest& request) -> std::optional<std::chrono::seconds> {
      asked.push_back(request.path + " " + request.query + " " + request.remote_address);
      if (request.query == "resume") return std::nullopt;
      return 3s;
    };
    Fixture fixture{shard, {loop.shard()}, {}, options};
    loop.run();
    tcp::socket fresh{fixture.executor};
    co_await dial(fresh, fixture);
    const std::string refused = co_await ask(fresh, upgrade_request("new"));
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 503")) << refused;
    EXPECT_NE(refused.find("Retry-After: 3\r\n"), std::string::npos) << refused;
    tcp::socket back{fixture.executor};
    co_await dial(back, fixture);
    const std::string taken = co_await ask(back, upgrade_request("resume"));
    EXPECT_TRUE(taken.starts_with("HTTP/1.1 101")) << taken;
    EXPECT_EQ(asked, (std::vector<std::string>{"/v1/ws new 127.0.0.1", "/v1/ws resume 127.0.0.1"}));
    EXPECT_EQ(fixture.server->count(ServerCount::busy), 1U);
    fresh.close();
    back.close();
    co_await fixture.all_gone();
    co_await fixture.server->stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
