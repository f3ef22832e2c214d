#include "transport/websocket/socket_client.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/beast/http/parser.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/client_upgrade.hpp"
#include "transport/websocket/frame.hpp"
#include "transport/websocket/masks.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"
#include "transport/websocket/upgrade.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::Heard;
using testing::on_shard;
using namespace std::chrono_literals;
using namespace literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// A server of ours at `/v1/ws` that says everything again.
struct Echo {
  Echo(const asio::any_io_executor& executor_to_use, SocketOptions options, ServerOptions server_options = {})
      : executor(executor_to_use) {
    auto created = Server::create(executor, std::move(server_options));
    EXPECT_TRUE(created) << (created ? "" : describe(created.error()));
    server = std::move(*created);
    server->on_socket("/v1/ws", std::move(options), [this](transport::AcceptedSocket accepted) {
      subprotocol = accepted.subprotocol;
      end = std::move(accepted.socket);
      heard = std::make_unique<Heard>(executor);
      heard->acting = [this](ByteView message) {
        const Frames answer = encode_frames(heard->kinds.back(), std::array{message});
        EXPECT_EQ(end->write(answer.bytes()), answer.bytes().size());
      };
      end->listen(*heard);
    });
    auto bound = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(bound) << (bound ? "" : describe(bound.error()));
    url = *bound;
  }
  asio::any_io_executor executor;
  std::string url;
  std::string subprotocol;
  std::unique_ptr<Heard> heard;
  std::unique_ptr<transport::MessageSocket> end;
  std::unique_ptr<Server> server;
};

void say(transport::ConnectedSocket& socket, MessageKind kind, std::string_view text) {
  ByteBuffer frame;
  socket.append_frame(frame, kind, as_bytes(text));
  EXPECT_EQ(socket.socket->write(frame), frame.size());
}

SocketConnectOptions at_ws(std::vector<Subprotocol> offered = {}) {
  return {.path = "/v1/ws", .subprotocols = std::move(offered)};
}

TEST(SocketClient, CarriesMessagesBothWays) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Echo echo{shard.get_executor(), {.subprotocols = {{.name = "two"}, {.name = "one"}}}};
    auto client = std::make_unique<SocketClient>();
    SocketConnectOptions options = at_ws({{.name = "one"}, {.name = "two"}});
    auto attempt = co_await client->connect(echo.url, std::move(options));
    client.reset();  // what it opened lives on
    EXPECT_TRUE(attempt.made) << (attempt.made ? "" : describe(attempt.made.error()));
    if (!attempt.made) co_return;
    EXPECT_EQ(attempt.made->subprotocol, "two");
    EXPECT_EQ(echo.subprotocol, "two");
    EXPECT_EQ(attempt.made->socket->remote_address(), "127.0.0.1");
    Heard here{shard.get_executor()};
    attempt.made->socket->listen(here);
    const std::string large(60'000, 'l');
    for (const std::string& text : {std::string{"hello"}, std::string{}, large}) {
      say(*attempt.made, MessageKind::text, text);
      EXPECT_EQ(co_await here.message(), text);
    }
    EXPECT_EQ(here.kinds.back(), MessageKind::text);
    say(*attempt.made, MessageKind::binary, "bytes");
    EXPECT_EQ(co_await here.message(), "bytes");
    EXPECT_EQ(here.kinds.back(), MessageKind::binary);
    attempt.made->socket->close({.code = 1000, .text = "done"});
    EXPECT_EQ((co_await here.closed()).code, Errc::closed);
    const Error there = co_await echo.heard->closed();
    EXPECT_EQ(there.code, Errc::closed);
    EXPECT_NE(there.message.find("1000): done"), std::string::npos) << there.message;
    co_await echo.server->stop("over");
  });
}

TEST(SocketClient, TellsTheStatusAndWhenToComeAgain) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    bool busy = true;
    Echo echo{shard.get_executor(), {.subprotocols = {{.name = "one"}}, .busy = [&](const auto&...) {
                                       return busy ? std::optional{7s} : std::nullopt;
                                     }}};
    SocketClient client;
    SocketConnectOptions options = at_ws({{.name = "one"}});
    auto refused = co_await client.connect(echo.url, options);
    EXPECT_FALSE(refused.made);
    EXPECT_EQ(refused.made.error().code, Errc::refused);
    EXPECT_TRUE(refused.refusal && refused.refusal->status == 503 && refused.refusal->retry_after == 7s);
    busy = false;
    SocketConnectOptions other = at_ws({{.name = "other"}});
    auto unspoken = co_await client.connect(echo.url, std::move(other));
    EXPECT_TRUE(unspoken.refusal && unspoken.refusal->status == 400 && !unspoken.refusal->retry_after);
    options.path = "/nowhere";
    auto nowhere = co_await client.connect(echo.url, options);
    EXPECT_TRUE(nowhere.refusal && nowhere.refusal->status == 404);
    auto malformed = co_await client.connect("http://x", options);
    EXPECT_EQ(malformed.made.error().code, Errc::invalid_argument);
    EXPECT_FALSE(malformed.refusal);
    co_await echo.server->stop("over");
  });
}

TEST(SocketClient, TrustsThePinnedCertificateAlone) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    auto files = development_certificate(folder.path());
    EXPECT_TRUE(files);
    Echo echo{shard.get_executor(), {}, {.tls = *files}};
    SocketClient client;
    SocketConnectOptions options = at_ws();
    auto unknown = co_await client.connect(echo.url, options);
    EXPECT_FALSE(unknown.made);
    EXPECT_EQ(unknown.made.error().code, Errc::permission_denied);
    EXPECT_NE(unknown.made.error().message.find(*echo.server->fingerprint()), std::string::npos);
    options.pin = "sha256:" + std::string(64, '0');
    auto wrong = co_await client.connect(echo.url, options);
    EXPECT_EQ(wrong.made.error().code, Errc::permission_denied);
    options.pin = echo.server->fingerprint();
    auto right = co_await client.connect(echo.url, options);
    EXPECT_TRUE(right.made) << (right.made ? "" : describe(right.made.error()));
    if (right.made) {
      Heard here{shard.get_executor()};
      right.made->socket->listen(here);
      const std::string large(60'000, 'l');
      say(*right.made, MessageKind::text, large);
      EXPECT_EQ(co_await here.message(), large);
      right.made->socket->close({});
      (void)co_await here.closed();
    }
    co_await echo.server->stop("over");
  });
}

/// A server that says byte for byte what a test wants, once the upgrade is done.
class RawServer {
 public:
  explicit RawServer(const asio::any_io_executor& executor)
      : acceptor_(executor, {asio::ip::address_v4::loopback(), 0}), stream(executor) {}
  [[nodiscard]] std::string url() const {
    return "ws://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  /// Answers with what is right, unless `change` says otherwise.
  asio::awaitable<void> upgrade(const std::function<void(Response&)>& change, const std::string& behind) {
    co_await acceptor_.async_accept(stream, asio::use_awaitable);
    std::string head;
    co_await asio::async_read_until(stream, asio::dynamic_buffer(head), "\r\n\r\n", asio::use_awaitable);
    request_text = head;
    boost::beast::http::request_parser<boost::beast::http::empty_body> parser;
    boost::system::error_code failed;
    parser.put(asio::buffer(head), failed);
    auto switched = switch_protocols(parser.get(), {});
    EXPECT_TRUE(switched) << head;
    if (!switched) co_return;
    if (change) change(switched->response);
    ByteBuffer bytes = encode(switched->response);
    const ByteView more = as_bytes(behind);
    bytes.insert(bytes.end(), more.begin(), more.end());
    co_await asio::async_write(stream, asio::buffer(bytes), kAwait);
  }
  /// What the client sends, up to so many bytes.
  asio::awaitable<ByteBuffer> read(std::size_t size) {
    ByteBuffer bytes(size);
    const auto [error, got] = co_await asio::async_read(stream, asio::buffer(bytes), kAwait);
    bytes.resize(got);
    co_return bytes;
  }

 private:
  tcp::acceptor acceptor_;

 public:
  tcp::socket stream;
  std::string request_text;
};

/// Runs both ends up to the client's outcome.
asio::awaitable<transport::SocketAttempt> meet(RawServer& server, SocketClient& client,
                                               const std::function<void(Response&)>& change,
                                               const std::string& behind) {
  using namespace asio::experimental::awaitable_operators;
  SocketConnectOptions options = at_ws({{.name = "one"}});
  auto serving = server.upgrade(change, behind);
  auto connecting = client.connect(server.url(), std::move(options));
  co_return co_await (std::move(serving) && std::move(connecting));
}
const std::function<void(Response&)> kAsItIs;
const std::string kNothing;

TEST(SocketClient, AsksAsTheRfcWantsAndReadsWhatCameBehindTheAnswer) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    RawServer server{shard.get_executor()};
    SocketClient client;
    const std::string early{
        "\x81\x05"
        "early"};
    auto attempt = co_await meet(server, client, kAsItIs, early);
    EXPECT_TRUE(attempt.made) << (attempt.made ? "" : describe(attempt.made.error()));
    EXPECT_TRUE(server.request_text.starts_with("GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:"));
    EXPECT_NE(server.request_text.find("Sec-WebSocket-Protocol: one\r\n"), std::string::npos);
    if (!attempt.made) co_return;
    Heard here{shard.get_executor()};
    attempt.made->socket->listen(here);
    EXPECT_EQ(co_await here.message(), "early");
  });
}

TEST(SocketClient, MasksEachFrameAnew) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    RawServer server{shard.get_executor()};
    SocketClient client;
    auto attempt = co_await meet(server, client, kAsItIs, kNothing);
    EXPECT_TRUE(attempt.made) << (attempt.made ? "" : describe(attempt.made.error()));
    if (!attempt.made) co_return;
    Heard here{shard.get_executor()};
    attempt.made->socket->listen(here);
    std::set<std::string> masks;
    for (int i = 0; i < 100; ++i) {
      say(*attempt.made, MessageKind::binary, "abcd");
      ByteBuffer frame = co_await server.read(10);
      EXPECT_EQ(frame[0], std::byte{0x82});
      EXPECT_EQ(frame[1], std::byte{0x84});
      masks.emplace(as_text(ByteView{frame}.subspan(2, 4)));
      Mask mask{};
      std::copy_n(frame.begin() + 2, 4, mask.begin());
      apply_mask(ByteSpan{frame}.subspan(6), mask, 0);
      EXPECT_EQ(as_text(ByteView{frame}.subspan(6)), "abcd");
    }
    EXPECT_EQ(masks.size(), 100U);
    // A ping is answered with a masked pong.
    const std::string ping{"\x89\x02hi"};
    co_await asio::async_write(server.stream, asio::buffer(ping), kAwait);
    const ByteBuffer pong = co_await server.read(8);
    EXPECT_EQ(pong[0], std::byte{0x8A});
    EXPECT_EQ(pong[1], std::byte{0x82});
  });
}

TEST(SocketClient, EndsAServerThatMasksItsFrames) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    RawServer server{shard.get_executor()};
    SocketClient client;
    const std::string masked{"\x81\x81\x01\x02\x03\x04x"};
    auto attempt = co_await meet(server, client, kAsItIs, masked);
    EXPECT_TRUE(attempt.made) << (attempt.made ? "" : describe(attempt.made.error()));
    if (!attempt.made) co_return;
    Heard here{shard.get_executor()};
    attempt.made->socket->listen(here);
    EXPECT_EQ((co_await here.closed()).code, Errc::protocol_violation);
    ByteBuffer close = co_await server.read(8);
    EXPECT_EQ(close[0], std::byte{0x88});
    EXPECT_EQ(close[1] & std::byte{0x80}, std::byte{0x80}) << "masked";
    Mask mask{};
    std::copy_n(close.begin() + 2, 4, mask.begin());
    apply_mask(ByteSpan{close}.subspan(6), mask, 0);
    EXPECT_EQ(as_text(ByteView{close}.subspan(6)), "\x03\xEA");  // 1002
    server.stream.close();
  });
}

TEST(SocketClient, RefusesAnswersThatAreWrong) {
  using Field = boost::beast::http::field;
  const std::vector<std::function<void(Response&)>> wrongs{
      [](Response& response) { response.set(Field::sec_websocket_accept, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="); },
      [](Response& response) { response.set(Field::upgrade, "h2c"); },
      [](Response& response) { response.erase(Field::connection); },
      [](Response& response) { response.set(Field::sec_websocket_protocol, "two"); },
      [](Response& response) { response.set(Field::sec_websocket_extensions, "permessage-deflate"); },
      [](Response& response) { response.set("X-Long", std::string(9'000, 'x')); },
  };
  on_shard([&wrongs](asio::io_context& shard) -> asio::awaitable<void> {
    for (std::size_t i = 0; i < wrongs.size(); ++i) {
      RawServer server{shard.get_executor()};
      SocketClient client;
      auto attempt = co_await meet(server, client, wrongs[i], kNothing);
      EXPECT_FALSE(attempt.made) << i;
      const Errc code = attempt.made ? Errc::io : attempt.made.error().code;
      EXPECT_EQ(code, Errc::protocol_violation) << i;
    }
  });
}

TEST(SocketClient, GivesUpAServerThatSaysNothing) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    tcp::acceptor silent{shard, {asio::ip::address_v4::loopback(), 0}};
    SocketClient client;
    SocketConnectOptions options = at_ws();
    options.timeout = 50ms;
    const std::string url = "ws://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
    auto attempt = co_await client.connect(url, std::move(options));
    EXPECT_EQ(attempt.made.error().code, Errc::timed_out);
  });
}

TEST(SocketClient, GoesOnWhereAServerTakesOnlyAPart) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    RawServer server{shard.get_executor()};
    SocketClient client;
    auto attempt = co_await meet(server, client, kAsItIs, kNothing);
    EXPECT_TRUE(attempt.made) << (attempt.made ? "" : describe(attempt.made.error()));
    if (!attempt.made) co_return;
    auto& socket = *attempt.made->socket;
    Heard here{shard.get_executor()};
    socket.listen(here);
    ByteBuffer frames;
    for (int i = 0; i < 16; ++i)
      attempt.made->append_frame(frames, MessageKind::binary, as_bytes(std::string(1'000'000, 'b')));
    std::size_t taken = socket.write(frames);
    EXPECT_LT(taken, frames.size());
    here.writing = [&] { taken += socket.write(ByteView{frames}.subspan(taken)); };
    // A pong, owed in the middle of a frame, goes between two.
    const std::string ping{"\x89\x02hi"};
    co_await asio::async_write(server.stream, asio::buffer(ping), kAwait);
    ByteBuffer all = co_await server.read(frames.size() + 8);
    EXPECT_EQ(taken, frames.size());
    FrameReader reader{{.role = FrameReaderOptions::Role::server, .max_message = 1_MiB}};
    ByteSpan rest{all};
    std::size_t messages = 0;
    std::size_t pongs = 0;
    while (true) {
      const auto event = reader.next(rest);
      EXPECT_TRUE(event);
      if (!event || !*event) break;
      (*event)->kind == FrameEvent::Kind::pong ? ++pongs : ++messages;
    }
    EXPECT_EQ(messages, 16U);
    EXPECT_EQ(pongs, 1U);
  });
}

TEST(SocketClient, AsksForASmallReceiveBuffer) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Echo echo{shard.get_executor(), {}};
    SocketClient client;
    SocketConnectOptions options = at_ws();
    options.receive_buffer = 4_KiB;
    auto attempt = co_await client.connect(echo.url, std::move(options));
    EXPECT_TRUE(attempt.made);
    if (!attempt.made) co_return;
    Heard here{shard.get_executor()};
    attempt.made->socket->listen(here);
    attempt.made->socket->pause_reading();
    say(*attempt.made, MessageKind::text, "begin");
    while (!echo.heard || echo.heard->kinds.empty()) co_await asio::post(shard, asio::use_awaitable);
    // Far less than loopback holds otherwise, which is megabytes.
    const SharedFrames batch = std::make_shared<const Frames>(
        encode_frames(MessageKind::binary, std::array{as_bytes(std::string(65'000, 'x'))}));
    std::size_t sent = 0;
    while (true) {
      const std::size_t taken = echo.end->write(batch->bytes());
      sent += taken;
      if (taken < batch->bytes().size()) break;
    }
    EXPECT_LT(sent, 4'000'000U);
    attempt.made->socket.reset();
    (void)co_await echo.heard->closed();
    co_await echo.server->stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
