#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/frame.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::Heard;
using testing::on_shard;
using namespace std::chrono_literals;
using namespace literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr Mask kMask{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

struct Fixture {
  explicit Fixture(asio::io_context& shard, SocketOptions options = {}, ServerOptions server_options = {})
      : executor(shard.get_executor()), arrived(executor) {
    auto created = Server::create(executor, std::move(server_options));
    EXPECT_TRUE(created) << (created ? "" : describe(created.error()));
    server = std::move(*created);
    server->on_socket("/v1/ws", std::move(options), [this](transport::AcceptedSocket accepted) {
      heard = std::make_unique<Heard>(executor);
      subprotocol = accepted.subprotocol;
      query = accepted.query;
      end = std::move(accepted.socket);
      if (listens) end->listen(*heard);
      arrived.notify();
    });
    auto bound = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(bound) << (bound ? "" : describe(bound.error()));
    url = *bound;
  }
  asio::awaitable<void> wait() {
    while (!end) co_await arrived.wait();
  }
  [[nodiscard]] tcp::endpoint endpoint() const {
    const auto parsed = parse_url(url);
    return {asio::ip::make_address(parsed->host), parsed->port};
  }

  asio::any_io_executor executor;
  runtime::WakeUp arrived;
  bool listens = true;
  std::unique_ptr<Heard> heard;
  std::unique_ptr<transport::MessageSocket> end;
  std::string subprotocol;
  std::string query;
  std::unique_ptr<Server> server;
  std::string url;
};

struct Seen {
  enum class Kind : std::uint8_t { text, binary, ping, pong, close, eof, reset };
  Kind kind;
  std::string payload{};
  std::uint16_t code = close_code::kNoStatus;
  bool operator==(const Seen&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << static_cast<int>(seen.kind) << ' ' << seen.code << " '" << seen.payload.substr(0, 100)
             << '\'';
}
using Kind = Seen::Kind;

/// A client that says byte for byte what a test wants.
template <typename Stream>
class Client {
 public:
  explicit Client(Stream stream_to_use) : stream(std::move(stream_to_use)) {}

  asio::awaitable<std::string> upgrade(std::string_view more = {}, std::string_view behind = {}) {
    const std::string request =
        "GET /v1/ws?a=b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        std::string{more} + "\r\n" + std::string{behind};
    co_await asio::async_write(stream, asio::buffer(request), kAwait);
    std::string head;
    const auto [error, size] =
        co_await asio::async_read_until(stream, asio::dynamic_buffer(head), "\r\n\r\n", kAwait);
    EXPECT_FALSE(error) << error.message();
    // What came behind the header belongs to the frames.
    std::ranges::copy(as_bytes(std::string_view{head}.substr(size)), buffer_->begin());
    rest_ = ByteSpan{*buffer_}.first(head.size() - size);
    head.resize(size);
    co_return head;
  }
  asio::awaitable<void> send(Opcode opcode, std::string_view payload) {
    ByteBuffer bytes;
    append_client_frame(bytes, {.opcode = opcode, .payload = as_bytes(payload), .mask = kMask});
    co_await asio::async_write(stream, asio::buffer(bytes), kAwait);
  }
  asio::awaitable<Seen> next() {
    for (;;) {
      const auto event = reader_.next(rest_);
      EXPECT_TRUE(event) << "the server broke the protocol: " << event.error().text;
      if (!event) co_return Seen{.kind = Kind::reset};
      if (*event) {
        co_return Seen{.kind = static_cast<Kind>((*event)->kind),
                       .payload = std::string{as_text((*event)->payload)},
                       .code = (*event)->close_code};
      }
      const auto [error, size] = co_await stream.async_read_some(asio::buffer(*buffer_), kAwait);
      rest_ = ByteSpan{*buffer_}.first(size);
      if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
        co_return Seen{.kind = Kind::eof};
      if (error) co_return Seen{.kind = Kind::reset};
    }
  }

  Stream stream;

 private:
  FrameReader reader_{{.role = FrameReaderOptions::Role::client, .max_message = 64_MiB}};
  std::unique_ptr<std::array<std::byte, 65'536>> buffer_ = std::make_unique<std::array<std::byte, 65'536>>();
  ByteSpan rest_;
};
using PlainClient = Client<tcp::socket>;
using TlsClient = Client<asio::ssl::stream<tcp::socket>>;

/// Looks at the client's next frame. A statement of its own: g++ 12 destroys a temporary with a string twice
/// that stands beside a co_await.
#define EXPECT_NEXT(client, ...)                     \
  do {                                               \
    const Seen next_seen = co_await (client).next(); \
    EXPECT_EQ(next_seen, (__VA_ARGS__));             \
  } while (false)

asio::awaitable<PlainClient> dial(const Fixture& fixture) {
  tcp::socket socket{fixture.executor};
  co_await socket.async_connect(fixture.endpoint(), asio::use_awaitable);
  co_return PlainClient{std::move(socket)};
}

SharedFrames frames(const std::vector<std::string>& messages) {
  std::vector<ByteView> views;
  for (const std::string& message : messages) views.push_back(as_bytes(message));
  return std::make_shared<const Frames>(encode_frames(MessageKind::binary, views));
}

void echo(Fixture& fixture) {
  fixture.heard->acting = [&fixture](ByteView message) {
    const Frames answer = encode_frames(fixture.heard->kinds.back(), std::array{message});
    EXPECT_EQ(fixture.end->write(answer.bytes()), answer.bytes().size());
  };
}

TEST(Connection, CarriesMessagesBothWaysAndAnswersPings) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.subprotocols = {{.name = "one"}, {.name = "two"}}}};
    auto client = co_await dial(fixture);
    const std::string head = co_await client.upgrade("Sec-WebSocket-Protocol: two\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    EXPECT_NE(head.find("Sec-WebSocket-Protocol: two\r\n"), std::string::npos) << head;
    co_await fixture.wait();
    EXPECT_EQ(fixture.subprotocol, "two");
    EXPECT_EQ(fixture.query, "a=b");
    EXPECT_EQ(fixture.end->remote_address(), "127.0.0.1");
    echo(fixture);
    const std::string large(60'000, 'l');
    for (const std::string& text : {std::string{"hello"}, std::string{}, large}) {
      co_await client.send(Opcode::text, text);
      EXPECT_NEXT(client, Seen{.kind = Kind::text, .payload = text});
    }
    co_await client.send(Opcode::ping, "are you there");
    EXPECT_NEXT(client, Seen{.kind = Kind::pong, .payload = "are you there"});
    EXPECT_EQ(fixture.end->stats().messages_received, 3U);
    EXPECT_EQ(fixture.end->stats().received, 60'005_B);
    EXPECT_EQ(fixture.end->stats().sent, 60'005_B + Bytes{2 + 2 + 4});
    co_await client.send(Opcode::close,
                         "\x03\xE9"
                         "bye");
    EXPECT_NEXT(client, Seen{.kind = Kind::close, .code = 1001});
    EXPECT_EQ((co_await client.next()).kind, Kind::eof);
    const Error reason = co_await fixture.heard->closed();
    EXPECT_EQ(reason.code, Errc::closed);
    EXPECT_NE(reason.message.find("1001): bye"), std::string::npos) << reason.message;
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, ReadsWhatCameBehindTheRequest) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    ByteBuffer early;
    append_client_frame(early, {.opcode = Opcode::text, .payload = as_bytes("early"), .mask = kMask});
    (void)co_await client.upgrade("", as_text(early));
    co_await fixture.wait();
    EXPECT_EQ(co_await fixture.heard->message(), "early");
    co_await client.send(Opcode::text, "later");
    EXPECT_EQ(co_await fixture.heard->message(), "later");
    client.stream.close();
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::link_lost);
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, SaysWhatWasWrongAndHangsUp) {
  struct Case {
    std::string bytes;
    std::uint16_t code;
    Errc reason;
  };
  const std::vector<Case> cases{
      {.bytes = std::string("\x81\x00", 2), .code = 1002, .reason = Errc::protocol_violation},
      {.bytes = "\x82\xFE\xFF\xFF\x01\x02\x03\x04", .code = 1009, .reason = Errc::limit_exceeded},
      {.bytes = std::string("\x81\x81\x00\x00\x00\x00\xFF", 7),
       .code = 1007,
       .reason = Errc::protocol_violation},
  };
  on_shard([&cases](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.max_message = 1000_B, .linger = 5s}};
    for (const Case& one : cases) {
      fixture.end.reset();
      auto client = co_await dial(fixture);
      (void)co_await client.upgrade();
      co_await fixture.wait();
      co_await asio::async_write(client.stream, asio::buffer(one.bytes), kAwait);
      const Seen seen = co_await client.next();
      EXPECT_EQ(seen.kind, Kind::close);
      EXPECT_EQ(seen.code, one.code);
      EXPECT_EQ((co_await client.next()).kind, Kind::eof);
      EXPECT_EQ((co_await fixture.heard->closed()).code, one.reason);
      client.stream.close();
    }
    co_await fixture.server->stop("over");
  });
}

asio::awaitable<void> wait_until(asio::any_io_executor executor, std::function<bool()> reached) {
  asio::steady_timer timer{executor};
  const TimePoint deadline = Clock::now() + 30s;
  while (!reached() && Clock::now() < deadline) {
    timer.expires_after(1ms);
    co_await timer.async_wait(kAwait);
  }
  EXPECT_TRUE(reached());
}

TEST(Connection, PaysForPartsOfMessagesAndRefusesWhatThereIsNoMemoryFor) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const auto memory = std::make_shared<flow::Account>(30'000_B);
    Fixture fixture{shard, {.linger = 5s, .memory = memory}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const auto send = [&client](std::span<const std::byte> part) -> asio::awaitable<void> {
      co_await asio::async_write(client.stream, asio::buffer(part.data(), part.size()), kAwait);
    };
    const auto message = [](std::size_t size) {
      const std::string text(size, 'm');
      ByteBuffer bytes;
      append_client_frame(bytes, {.opcode = Opcode::text, .payload = as_bytes(text), .mask = kMask});
      return bytes;
    };
    const ByteBuffer small = message(20'000);
    co_await send(std::span{small}.first(10'000));
    std::function<bool()> reached = [&] { return memory->stats().held > 9'000_B; };
    co_await wait_until(fixture.executor, reached);
    co_await send(std::span{small}.subspan(10'000));
    const std::string heard = co_await fixture.heard->message();
    EXPECT_EQ(heard.size(), 20'000U);
    reached = [&] { return memory->stats().held == 0_B; };
    co_await wait_until(fixture.executor, reached);
    const ByteBuffer large = message(60'000);
    co_await send(std::span{large}.first(50'000));
    const Seen seen = co_await client.next();
    EXPECT_EQ(seen.kind, Kind::close);
    EXPECT_EQ(seen.code, close_code::kTryAgainLater);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::busy);
    EXPECT_EQ(memory->stats().held, 0_B);
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, TakesWhatFitsAndTellsWhenThereIsRoom) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const SharedFrames batch = frames(std::vector<std::string>(16, std::string(1'000'000, 'b')));
    std::size_t taken = fixture.end->write(batch->bytes());
    EXPECT_LT(taken, batch->bytes().size());
    EXPECT_EQ(fixture.end->write(batch->bytes().subspan(taken)), 0U) << "there was no room yet";
    fixture.heard->writing = [&] { taken += fixture.end->write(batch->bytes().subspan(taken)); };
    // A ping in the middle of a frame: its answer goes between frames, where the client can read it.
    co_await client.send(Opcode::ping, "old");
    co_await client.send(Opcode::ping, "new");
    std::size_t messages = 0;
    std::vector<std::string> pongs;
    while (messages < 16) {
      const Seen seen = co_await client.next();
      if (seen.kind == Kind::pong) {
        pongs.push_back(seen.payload);
      } else {
        EXPECT_EQ(seen.kind, Kind::binary);
        EXPECT_EQ(seen.payload.size(), 1'000'000U);
        ++messages;
      }
      if (seen.kind == Kind::reset || seen.kind == Kind::eof) break;
    }
    EXPECT_EQ(taken, batch->bytes().size());
    EXPECT_GT(fixture.heard->writable, 0);
    EXPECT_FALSE(pongs.empty());
    EXPECT_TRUE(!pongs.empty() && pongs.back() == "new");
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, AnswersAPingBehindTheMessageThatItIsInTheMiddleOf) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 1h}};  // nothing else of the server's sends the answer along
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const SharedFrames one = frames({std::string(16'000'000, 'b')});
    std::size_t taken = fixture.end->write(one->bytes());
    EXPECT_LT(taken, one->bytes().size());
    fixture.heard->writing = [&] { taken += fixture.end->write(one->bytes().subspan(taken)); };
    co_await client.send(Opcode::ping, "in the middle");
    const Seen message = co_await client.next();
    EXPECT_EQ(message.payload.size(), 16'000'000U);
    EXPECT_NEXT(client, Seen{.kind = Kind::pong, .payload = "in the middle"});
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, ReadsNothingWhilePaused) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    fixture.heard->acting = [&](ByteView) { fixture.end->pause_reading(); };
    ByteBuffer three;
    for (const std::string_view text : {"one", "two", "three"})
      append_client_frame(three, {.opcode = Opcode::text, .payload = as_bytes(text), .mask = kMask});
    co_await asio::async_write(client.stream, asio::buffer(three), kAwait);
    for (const std::string_view text : {"one", "two", "three"}) {
      EXPECT_EQ(co_await fixture.heard->message(), text);
      for (int turn = 0; turn < 20; ++turn) co_await asio::post(fixture.executor, asio::use_awaitable);
      EXPECT_TRUE(fixture.heard->messages.empty()) << "came while paused";
      fixture.end->resume_reading();
    }
    co_await client.send(Opcode::text, "four");
    EXPECT_EQ(co_await fixture.heard->message(), "four");
    // Closing reads on, since the client's answer must be read.
    fixture.end->close({});
    EXPECT_NEXT(client, Seen{.kind = Kind::close, .code = 1000});
    co_await client.send(Opcode::close, "\x03\xE8");
    EXPECT_EQ((co_await client.next()).kind, Kind::eof);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, HandlesAFewFramesATurnSoThatOthersHaveTheirs) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    // What else the loop does between two messages of the client.
    std::size_t turns = 0;
    std::size_t in_a_row = 0;
    std::size_t longest = 0;
    fixture.heard->acting = [&](ByteView) { longest = std::max(longest, ++in_a_row); };
    std::function<void()> others = [&] {
      ++turns;
      in_a_row = 0;
      if (fixture.heard->messages.size() < 4'000) asio::post(shard, others);
    };
    asio::post(shard, others);
    ByteBuffer many;
    for (int i = 0; i < 4'000; ++i)
      append_client_frame(many,
                          {.opcode = Opcode::text, .payload = as_bytes("{\"ping\":{}}"), .mask = kMask});
    co_await asio::async_write(client.stream, asio::buffer(many), kAwait);
    while (fixture.heard->messages.size() < 4'000 && !fixture.heard->is_closed())
      co_await asio::post(shard, asio::use_awaitable);
    EXPECT_EQ(fixture.heard->messages.size(), 4'000U);
    EXPECT_LE(longest, limits::kFramesPerTurn);
    EXPECT_GE(turns, 4'000 / limits::kFramesPerTurn);
    // The end comes behind all of it.
    ByteBuffer last;
    for (int i = 0; i < 100; ++i)
      append_client_frame(last, {.opcode = Opcode::text, .payload = as_bytes("x"), .mask = kMask});
    co_await asio::async_write(client.stream, asio::buffer(last), kAwait);
    client.stream.close();
    (void)co_await fixture.heard->closed();
    EXPECT_EQ(fixture.heard->messages.size(), 4'100U);
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, ReadsNoFurtherWhereAClientFloodsPings) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    ByteBuffer many;
    for (int i = 0; i < 150; ++i)
      append_client_frame(many, {.opcode = Opcode::ping, .payload = as_bytes("x"), .mask = kMask});
    append_client_frame(many, {.opcode = Opcode::text, .payload = as_bytes("behind"), .mask = kMask});
    const TimePoint begun = Clock::now();
    co_await asio::async_write(client.stream, asio::buffer(many), kAwait);
    const std::string message = co_await fixture.heard->message();
    EXPECT_EQ(message, "behind");
    EXPECT_GE(Clock::now() - begun, 2s) << "50 pings more than it may send at once, at 20 a second";
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, ClosesBehindWhatWasWritten) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const SharedFrames last = frames({"last"});
    EXPECT_EQ(fixture.end->write(last->bytes()), last->bytes().size());
    fixture.end->close({.code = 4001, .text = "enough"});
    fixture.end->close({.code = 4002, .text = "again"});
    EXPECT_EQ(fixture.end->write(last->bytes()), 0U);
    co_await client.send(Opcode::text, "crosses it, and is not heard");
    EXPECT_NEXT(client, Seen{.kind = Kind::binary, .payload = "last"});
    EXPECT_NEXT(client, Seen{.kind = Kind::close, .payload = "enough", .code = 4001});
    EXPECT_FALSE(fixture.heard->is_closed());
    co_await client.send(Opcode::close, "\x0F\xA1");
    EXPECT_EQ((co_await client.next()).kind, Kind::eof);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    EXPECT_TRUE(fixture.heard->messages.empty());
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, EndsWhoDoesNotFinishAMessage) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 20ms, .missed_pings = 1'000'000}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const std::string text(100, 'm');
    ByteBuffer message;
    append_client_frame(message, {.opcode = Opcode::text, .payload = as_bytes(text), .mask = kMask});
    co_await asio::async_write(client.stream, asio::buffer(message.data(), message.size() - 1), kAwait);
    const Error reason = co_await fixture.heard->closed();
    EXPECT_EQ(reason.code, Errc::stalled);
    EXPECT_NE(reason.message.find("finish"), std::string::npos) << reason.message;
    client.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, FinishesAFrameThatWasBegunBeforeItCloses) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    const SharedFrames large = frames({std::string(40'000'000, 'l')});
    const std::size_t taken = fixture.end->write(large->bytes());
    EXPECT_LT(taken, large->bytes().size());
    ByteBuffer last = to_buffer(large->bytes().subspan(taken));
    const SharedFrames kick = frames({"kick"});
    last.insert(last.end(), kick->bytes().begin(), kick->bytes().end());
    fixture.end->close({.code = 4001, .text = "enough", .last = std::move(last)});
    co_await client.send(Opcode::ping, "no pong comes any more");
    const Seen first = co_await client.next();
    EXPECT_EQ(first.payload.size(), 40'000'000U);
    EXPECT_NEXT(client, Seen{.kind = Kind::binary, .payload = "kick"});
    EXPECT_NEXT(client, Seen{.kind = Kind::close, .payload = "enough", .code = 4001});
    co_await client.send(Opcode::close, "\x0F\xA1");
    EXPECT_EQ((co_await client.next()).kind, Kind::eof);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    // Without the frame's rest there is no good end.
    fixture.end.reset();
    auto other = co_await dial(fixture);
    (void)co_await other.upgrade();
    co_await fixture.wait();
    EXPECT_LT(fixture.end->write(large->bytes()), large->bytes().size());
    fixture.end->close({});
    while ((co_await other.next()).kind != Kind::reset) continue;
    client.stream.close();
    other.stream.close();
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, EndsInTimeWhenTheClientDoesNotAnswer) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.close_timeout = 50ms, .linger = 50ms}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    fixture.end->close({});
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    EXPECT_EQ((co_await client.next()).kind, Kind::close);
    EXPECT_EQ((co_await client.next()).kind, Kind::reset);
    // One that has broken the protocol and does not hang up either.
    fixture.end.reset();
    auto other = co_await dial(fixture);
    (void)co_await other.upgrade();
    co_await fixture.wait();
    co_await asio::async_write(other.stream, asio::buffer("\xFF\xFF", 2), kAwait);
    EXPECT_EQ((co_await other.next()).code, 1002);
    EXPECT_EQ((co_await other.next()).kind, Kind::eof);
    while (fixture.server->connections() > 0) {
      asio::steady_timer pause{fixture.executor, 5ms};
      co_await pause.async_wait(asio::use_awaitable);
    }
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, IsCutByAReset) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    fixture.end->cut();
    EXPECT_EQ((co_await client.next()).kind, Kind::reset);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::cancelled);
    EXPECT_EQ(fixture.end->write(frames({"late"})->bytes()), 0U);
    // Within a frame there is no good end.
    fixture.end.reset();
    auto slow = co_await dial(fixture);
    (void)co_await slow.upgrade();
    co_await fixture.wait();
    const SharedFrames large = frames({std::string(20'000'000, 'x')});
    EXPECT_LT(fixture.end->write(large->bytes()), large->bytes().size());
    fixture.end->close({});
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    EXPECT_EQ((co_await slow.next()).kind, Kind::reset);
    // And whoever lets go of it ends it.
    fixture.end.reset();
    auto third = co_await dial(fixture);
    (void)co_await third.upgrade();
    co_await fixture.wait();
    fixture.end.reset();
    EXPECT_EQ((co_await third.next()).kind, Kind::reset);
    EXPECT_FALSE(fixture.heard->is_closed());
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, EndsAClientThatAnswersNoPings) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 20ms}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    for (int i = 0; i < 6; ++i) {  // one that answers stays, twice as long as one that does not
      EXPECT_EQ((co_await client.next()).kind, Kind::ping);
      co_await client.send(Opcode::pong, "");
    }
    EXPECT_FALSE(fixture.heard->is_closed());
    int pings = 0;
    Seen seen{.kind = Kind::ping};
    for (; seen.kind == Kind::ping; seen = co_await client.next()) ++pings;
    EXPECT_EQ(seen.kind, Kind::reset);
    EXPECT_EQ(pings - 1, limits::kMissedPings);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::stalled);
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, WaitsForAsManyPingsAsItIsTold) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 20ms, .missed_pings = 5}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    int pings = 0;
    while ((co_await client.next()).kind == Kind::ping) ++pings;
    EXPECT_EQ(pings, 5);
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, PingsAsItIsToldMeanwhile) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 1h}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    fixture.end->set_ping_interval(20ms);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ((co_await client.next()).kind, Kind::ping);
      co_await client.send(Opcode::pong, "");
    }
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, PingsAsTheServerIsToldBeforeItIsUpgraded) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.ping = 1h}};
    fixture.server->set_pings("/v1/ws", {.interval = 20ms, .misses = 5});
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    int pings = 0;
    while ((co_await client.next()).kind == Kind::ping) ++pings;
    EXPECT_EQ(pings, 5);
    co_await fixture.server->stop("over");
  });
}

TEST(Connection, IsToldToComeAgainWhileTheServerIsBusy) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.busy = [](const transport::HttpRequest&) { return std::optional{3s}; }}};
    auto client = co_await dial(fixture);
    const std::string head = co_await client.upgrade();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 503")) << head;
    EXPECT_NE(head.find("Retry-After: 3\r\n"), std::string::npos) << head;
    EXPECT_EQ(fixture.server->count(ServerCount::busy), 1U);
    client.stream.close();
    co_await fixture.server->stop("over");
    EXPECT_FALSE(fixture.end);
  });
}

TEST(Connection, HearsThatTheServerStops) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.close_timeout = 50ms}};
    auto client = co_await dial(fixture);
    (void)co_await client.upgrade();
    co_await fixture.wait();
    co_await fixture.server->stop("going home");
    EXPECT_NEXT(client, Seen{.kind = Kind::close, .payload = "going home", .code = 1001});
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    EXPECT_EQ(fixture.server->connections(), 0U);
  });
}

TEST(ConnectionTls, CarriesLargeBatchesToASlowReader) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    const testing::TemporaryFolder folder;
    auto pem = development_certificate(folder.path() / "dev");
    EXPECT_TRUE(pem);
    ServerOptions secure;
    secure.tls = *pem;
    Fixture fixture{shard, {}, secure};
    asio::ssl::context context{asio::ssl::context::tls_client};
    asio::ssl::stream<tcp::socket> stream{fixture.executor, context};
    co_await stream.lowest_layer().async_connect(fixture.endpoint(), asio::use_awaitable);
    co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    TlsClient client{std::move(stream)};
    const std::string head = co_await client.upgrade();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    co_await fixture.wait();
    echo(fixture);
    const std::string large(65'000, 'l');
    co_await client.send(Opcode::binary, large);
    EXPECT_NEXT(client, Seen{.kind = Kind::binary, .payload = large});

    std::vector<std::string> texts;
    for (int i = 0; i < 2000; ++i) texts.push_back(std::to_string(i) + std::string(5'000, 't'));
    const SharedFrames batch = frames(texts);
    std::size_t taken = fixture.end->write(batch->bytes());
    EXPECT_LT(taken, batch->bytes().size());
    fixture.heard->writing = [&] { taken += fixture.end->write(batch->bytes().subspan(taken)); };
    co_await client.send(Opcode::ping, "between");
    std::size_t pongs = 0;
    for (std::size_t i = 0; i < texts.size();) {
      const Seen seen = co_await client.next();
      if (seen.kind == Kind::pong) {
        ++pongs;
        continue;
      }
      EXPECT_EQ(seen.payload, texts[i++]);
      if (seen.kind != Kind::binary) break;
    }
    EXPECT_EQ(pongs, 1U);
    EXPECT_EQ(taken, batch->bytes().size());
    fixture.end->close({});
    EXPECT_EQ((co_await client.next()).kind, Kind::close);
    co_await client.send(Opcode::close, "\x03\xE8");
    EXPECT_EQ((co_await client.next()).kind, Kind::eof);
    EXPECT_EQ((co_await fixture.heard->closed()).code, Errc::closed);
    client.stream.lowest_layer().close();
    co_await fixture.server->stop("over");
  });
}

}  // namespace
}  // namespace sluice::websocket
