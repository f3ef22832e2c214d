#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/client.hpp"
#include "transport/websocket/frame.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"
#include "transport/websocket/upgrade.hpp"

/// Where HTTP ends and a link begins, and where a link ends: no byte on either side of it is lost or waited
/// for.
namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
using testing::Recorder;
using namespace std::chrono_literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr std::string_view kUpgrade =
    "GET /v1/link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: "
    "Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::string masked(Opcode opcode, std::string_view payload) {
  ByteBuffer frame;
  append_client_frame(frame, {.opcode = opcode,
                              .payload = as_bytes(payload),
                              .mask = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}});
  return std::string{as_text(frame)};
}

/// A server whose links send back what they hear.
struct Fixture {
  explicit Fixture(asio::io_context& shard, ServerOptions options = {})
      : executor(shard.get_executor()), heard(executor), arrived(executor) {
    server = std::move(*Server::create(executor, std::move(options)));
    server->on_link("/v1/link", {.kind = MessageKind::text}, [this](transport::AcceptedLink accepted) {
      link = std::move(accepted.link);
      link->listen(heard);
      arrived.notify();
    });
    const auto parsed = parse_url(*server->listen({.address = "127.0.0.1", .port = 0}));
    endpoint = {asio::ip::make_address(parsed->host), parsed->port};
  }
  asio::awaitable<void> wait_for_link() {
    while (!link) co_await arrived.wait();
  }

  asio::any_io_executor executor;
  Recorder heard;
  runtime::WakeUp arrived;
  std::unique_ptr<transport::Link> link;
  std::unique_ptr<Server> server;
  tcp::endpoint endpoint;
};

TEST(LinkUpgrade, HandlesWhatCameInTheSameSegmentAsTheRequest) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    // As it is, and in pieces: the last frame is whole only after the upgrade.
    const std::string large(5'000, 'l');
    const std::string frames =
        masked(Opcode::text, "one") + masked(Opcode::text, large) + masked(Opcode::text, "last");
    const std::array<std::size_t, 4> ends{frames.size(), frames.size() - 2, 1, 0};
    for (const std::size_t end : ends) {
      Fixture fixture{shard};
      tcp::socket client{fixture.executor};
      co_await client.async_connect(fixture.endpoint, asio::use_awaitable);
      const std::string first = std::string{kUpgrade} + frames.substr(0, end);
      co_await asio::async_write(client, asio::buffer(first), kAwait);
      co_await fixture.wait_for_link();
      const std::string rest = frames.substr(end);
      co_await asio::async_write(client, asio::buffer(rest), kAwait);
      EXPECT_EQ(co_await fixture.heard.message(), "one") << end;
      EXPECT_EQ(co_await fixture.heard.message(), large) << end;
      EXPECT_EQ(co_await fixture.heard.message(), "last") << end;
      client.close();
      co_await fixture.heard.closed();
      co_await fixture.server->stop("over");
    }
  });
}

TEST(LinkUpgrade, HandlesWhatCameInTheSameRecordAsTheRequest) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    ServerOptions secure;
    secure.tls = *development_certificate(folder.path());
    Fixture fixture{shard, secure};
    asio::ssl::context context{asio::ssl::context::tls_client};
    asio::ssl::stream<tcp::socket> client{fixture.executor, context};
    co_await client.lowest_layer().async_connect(fixture.endpoint, asio::use_awaitable);
    co_await client.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    // One record: its end is still in OpenSSL when Beast takes the connection over.
    const std::string text(9'000, 't');
    const std::string first = std::string{kUpgrade} + masked(Opcode::text, text);
    co_await asio::async_write(client, asio::buffer(first), kAwait);
    EXPECT_EQ(co_await fixture.heard.message(), text);
    client.lowest_layer().close();
    co_await fixture.heard.closed();
    co_await fixture.server->stop("over");
  });
}

TEST(LinkUpgrade, ClientHandlesWhatCameInTheSameSegmentAsTheAnswer) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    tcp::acceptor acceptor{shard, {asio::ip::address_v4::loopback(), 0}};
    Recorder here{shard.get_executor()};
    std::unique_ptr<transport::Link> link;
    const std::string url = "ws://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
    asio::co_spawn(shard, connect(url, {.link = {.kind = MessageKind::text}}),
                   [&](const std::exception_ptr&, Result<std::unique_ptr<transport::Link>> made) {
                     EXPECT_TRUE(made);
                     if (!made) return;
                     link = std::move(*made);
                     link->listen(here);
                   });
    tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
    std::string request;
    co_await asio::async_read_until(peer, asio::dynamic_buffer(request), "\r\n\r\n", kAwait);
    const std::size_t at = request.find("Sec-WebSocket-Key: ") + 19;
    std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_key(request.substr(at, 24)) + "\r\n\r\n";
    answer += "\x81\x03one";
    co_await asio::async_write(peer, asio::buffer(answer), kAwait);
    EXPECT_EQ(co_await here.message(), "one");
    peer.close();
    co_await here.closed();
  });
}

/// Reads one message, and the others when it is told to.
class Pausing final : public transport::MessageSocketListener {
 public:
  explicit Pausing(const asio::any_io_executor& executor) : news(executor) {}
  void on_message(MessageKind, ByteView message) override {
    messages.emplace_back(as_text(message));
    if (messages.size() == 1) socket->pause_reading();
    news.notify();
  }
  void on_writable() override {}
  void on_closed(const Error&) override {
    closed = true;
    news.notify();
  }
  std::unique_ptr<transport::MessageSocket> socket;
  std::vector<std::string> messages;
  bool closed = false;
  runtime::WakeUp news;
};

TEST(SocketEnd, LosesNothingThatCameBeforeItWhileTheOwnerReadNothing) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    ServerOptions secure;
    secure.tls = *development_certificate(folder.path());
    auto server = std::move(*Server::create(shard.get_executor(), secure));
    Pausing owner{shard.get_executor()};
    server->on_socket("/v1/link", {}, [&](transport::AcceptedSocket accepted) {
      owner.socket = std::move(accepted.socket);
      owner.socket->listen(owner);
    });
    const auto parsed = parse_url(*server->listen({.address = "127.0.0.1", .port = 0}));
    asio::ssl::context context{asio::ssl::context::tls_client};
    asio::ssl::stream<tcp::socket> client{shard.get_executor(), context};
    co_await client.lowest_layer().async_connect({asio::ip::make_address(parsed->host), parsed->port},
                                                 asio::use_awaitable);
    co_await client.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    co_await asio::async_write(client, asio::buffer(kUpgrade), kAwait);
    std::string head;
    co_await asio::async_read_until(client, asio::dynamic_buffer(head), "\r\n\r\n", kAwait);
    // In one go, before the server's turn: it reads the end together with the messages.
    const std::string frames =
        masked(Opcode::text, "one") + masked(Opcode::text, "two") + masked(Opcode::text, "three");
    boost::system::error_code error;
    asio::write(client, asio::buffer(frames), error);
    client.lowest_layer().non_blocking(true);
    client.shutdown(error);
    client.lowest_layer().close();
    while (owner.messages.empty() && !owner.closed) co_await owner.news.wait();
    asio::steady_timer turn{shard, 10ms};
    co_await turn.async_wait(asio::use_awaitable);
    EXPECT_FALSE(owner.closed);
    owner.socket->resume_reading();
    while (!owner.closed) co_await owner.news.wait();
    EXPECT_EQ(owner.messages, (std::vector<std::string>{"one", "two", "three"}));
    co_await server->stop("over");
  });
}

TEST(LinkEnd, LeavesAPeerThatNeverStopsSending) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    tcp::socket client{fixture.executor};
    co_await client.async_connect(fixture.endpoint, asio::use_awaitable);
    const std::string first = std::string{kUpgrade} + masked(Opcode::close, "\x03\xE8");
    co_await asio::async_write(client, asio::buffer(first), kAwait);
    const TimePoint begun = Clock::now();
    const std::string more(64 * 1024, 'm');
    boost::system::error_code error;
    while (!error && Clock::now() - begun < testing::kPatience)
      std::tie(error, std::ignore) = co_await asio::async_write(client, asio::buffer(more), kAwait);
    EXPECT_TRUE(error);
    // Its limit is 2 s; Beast's own timer, which a handshake needs, is 10 s.
    EXPECT_LT(Clock::now() - begun, 6s);
    co_await fixture.heard.closed();
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->connections(), 0U);
  });
}

}  // namespace
}  // namespace sluice::websocket
