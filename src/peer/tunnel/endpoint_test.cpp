// Host and forward joined by a link in memory, over real TCP on loopback.
#include "peer/tunnel/endpoint.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "peer/tunnel/forward_session.hpp"
#include "peer/tunnel/host_session.hpp"
#include "peer/tunnel/memory_link.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using asio::awaitable;
using asio::use_awaitable;
using namespace std::chrono_literals;

constexpr auto kNoThrow = asio::as_tuple(use_awaitable);
/// More than anything here takes on a busy machine.
constexpr auto kTooLong = 120s;

/// What a target does with a connection.
using Service = std::function<awaitable<void>(tcp::socket)>;

awaitable<void> echo(tcp::socket socket) {
  std::array<char, 16 * 1024> block{};
  while (true) {
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kNoThrow);
    if (error) break;
    const auto [failed, written] = co_await asio::async_write(socket, asio::buffer(block, size), kNoThrow);
    if (failed) co_return;
  }
  boost::system::error_code ignored;
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

awaitable<void> leave_unread(tcp::socket socket) {
  asio::steady_timer for_ever{socket.get_executor(), asio::steady_timer::time_point::max()};
  co_await for_ever.async_wait(use_awaitable);
}

/// A host and a forward in one loop, with targets that the test provides.
class Tunnel {
 public:
  explicit Tunnel(Service service, SessionOptions options = {})
      : scope_(executor_), done_(executor_), service_(std::move(service)) {
    acceptor_ = tcp::acceptor{executor_, {asio::ip::address_v4::loopback(), 0}};
    acceptor_.listen(4096);
    tcp::acceptor nobody{executor_, {asio::ip::address_v4::loopback(), 0}};
    const std::uint16_t closed_port = nobody.local_endpoint().port();
    auto links = MemoryLink::make(executor_);
    host_link_ = links.first.get();
    forward_link_ = links.second.get();
    host_.emplace(
        executor_, std::move(links.first),
        *Targets::make({{.name = "service", .host = "127.0.0.1", .port = acceptor_.local_endpoint().port()},
                        {.name = "closed", .host = "127.0.0.1", .port = closed_port}}),
        options);
    std::vector<LocalPort> ports;
    for (const char* target : {"", "closed", "unknown"})
      ports.push_back({.bind = "127.0.0.1", .port = 0, .target = target});
    entrances_ = *Entrances::open(executor_, ports);
    for (const LocalPort& port : entrances_->ports()) ports_.push_back(port.port);
    forward_.emplace(executor_, std::move(links.second), ForwardSession::Ways{.entrances = entrances_.get()},
                     options);
  }

  /// Runs `test` beside the tunnel, then stops the forward and waits until all has ended.
  void run(std::function<awaitable<void>(Tunnel&)> test) {
    scope_.spawn(serve());
    scope_.spawn(entrances_->run());
    scope_.spawn(keep(*host_, host_end_));
    scope_.spawn(keep(*forward_, forward_end_));
    runtime::TaskScope main{executor_};
    main.spawn(play(std::move(test)));
    io_.run_for(kTooLong);
    ASSERT_TRUE(finished_) << "the test hangs";
    EXPECT_EQ(host_->stats().streams, 0U);
    EXPECT_EQ(forward_->stats().streams, 0U);
    EXPECT_EQ(host_->stats().totals.held, Bytes{});
    EXPECT_EQ(forward_->stats().totals.held, Bytes{});
  }

  awaitable<tcp::socket> connect(std::size_t port = 0) {
    tcp::socket socket{executor_};
    co_await socket.async_connect({asio::ip::address_v4::loopback(), ports_[port]}, use_awaitable);
    co_return socket;
  }
  /// Waits until `holds` does.
  awaitable<void> until(std::function<bool()> holds) {
    asio::steady_timer timer{executor_};
    while (!holds()) {
      timer.expires_after(1ms);
      co_await timer.async_wait(use_awaitable);
    }
  }

  asio::io_context io_{1};
  asio::any_io_executor executor_ = io_.get_executor();
  runtime::TaskScope scope_;
  runtime::WakeUp done_;
  Service service_;
  tcp::acceptor acceptor_{executor_};
  MemoryLink* host_link_;
  MemoryLink* forward_link_;
  std::unique_ptr<Entrances> entrances_;
  std::optional<HostSession> host_;
  std::optional<ForwardSession> forward_;
  std::vector<std::uint16_t> ports_;
  std::optional<Error> host_end_;
  std::optional<Error> forward_end_;
  bool finished_ = false;

 private:
  awaitable<void> serve() {
    while (true) {
      tcp::socket socket = co_await acceptor_.async_accept(use_awaitable);
      scope_.spawn(service_(std::move(socket)));
    }
  }
  awaitable<void> keep(Endpoint& endpoint, std::optional<Error>& end) {
    end = co_await endpoint.run();
    done_.notify();
  }
  awaitable<void> play(std::function<awaitable<void>(Tunnel&)> test) {
    co_await test(*this);
    forward_->stop();
    while (!host_end_ || !forward_end_) co_await done_.wait();
    scope_.cancel();
    co_await scope_.join();
    finished_ = true;
  }
};

/// Writes, half-closes, and returns all that comes back.
awaitable<std::string> ask(tcp::socket& socket, std::string_view request) {
  co_await asio::async_write(socket, asio::buffer(request), use_awaitable);
  socket.shutdown(tcp::socket::shutdown_send);
  std::string answer;
  const auto [error, size] = co_await asio::async_read(socket, asio::dynamic_buffer(answer), kNoThrow);
  EXPECT_EQ(error, asio::error::eof) << error.message();
  co_return answer;
}

std::vector<std::uint8_t> noise(std::size_t size) {
  std::vector<std::uint8_t> made(size);
  std::uint32_t state = 1;
  for (auto& byte : made) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return made;
}

TEST(TunnelOverTcp, EchoesAndHalfCloses) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket socket = co_await t.connect();
    EXPECT_EQ(co_await ask(socket, "hello"), "hello");
    co_await t.until([&t] { return t.host_->stats().streams == 0 && t.forward_->stats().streams == 0; });
  });
  EXPECT_EQ(tunnel.forward_end_->code, Errc::closed);
  EXPECT_EQ(tunnel.host_end_->code, Errc::closed);
  EXPECT_EQ(tunnel.host_->stats().totals.closes_sent.all(), 0U);
}

TEST(TunnelOverTcp, CarriesBulkBothWaysAtOnceUnchanged) {
  Tunnel tunnel{echo};
  static const std::vector<std::uint8_t> bulk = noise(64 * 1024 * 1024);
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket socket = co_await t.connect();
    bool written = false;
    const auto write = [](Tunnel&, tcp::socket& to, bool& done) -> awaitable<void> {
      co_await asio::async_write(to, asio::buffer(bulk), use_awaitable);
      to.shutdown(tcp::socket::shutdown_send);
      done = true;
    };
    t.scope_.spawn(write(t, socket, written));
    std::vector<std::uint8_t> block(256 * 1024);
    std::size_t read = 0;
    bool same = true;
    while (true) {
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kNoThrow);
      if (error) break;
      same = same && read + size <= bulk.size() &&
             std::equal(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size),
                        bulk.begin() + static_cast<std::ptrdiff_t>(read));
      read += size;
    }
    EXPECT_TRUE(same);
    EXPECT_EQ(read, bulk.size());
    EXPECT_TRUE(written);
  });
  const SessionStats stats = tunnel.forward_->stats();
  EXPECT_LE(stats.totals.held_peak, limits::kMaxStreamWindow);
}

TEST(TunnelOverTcp, PassesAResetOfTheTargetOn) {
  Tunnel tunnel{[](tcp::socket socket) -> awaitable<void> {
    std::array<char, 4> word{};
    co_await asio::async_read(socket, asio::buffer(word), use_awaitable);
    socket.set_option(asio::socket_base::linger{true, 0});
    socket.close();
  }};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket socket = co_await t.connect();
    co_await asio::async_write(socket, asio::buffer("word", 4), use_awaitable);
    std::array<char, 16> block{};
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kNoThrow);
    EXPECT_EQ(error, asio::error::connection_reset);
  });
  EXPECT_EQ(tunnel.host_->stats().totals.closes_sent.of(wire::CloseReason::reset), 1U);
}

/// Reads until the connection ends, and keeps why.
awaitable<void> read_to_end(tcp::socket socket, boost::system::error_code& end) {
  std::array<char, 16> block{};
  while (!end) end = std::get<0>(co_await socket.async_read_some(asio::buffer(block), kNoThrow));
}

awaitable<void> write_and_reset(Tunnel& t, const boost::system::error_code& seen) {
  tcp::socket socket = co_await t.connect();
  co_await asio::async_write(socket, asio::buffer("word", 4), use_awaitable);
  co_await t.until([&t] { return t.host_->stats().totals.delivered > Bytes{}; });
  socket.set_option(asio::socket_base::linger{true, 0});
  socket.close();
  co_await t.until([&seen] { return seen.failed(); });
}

TEST(TunnelOverTcp, PassesAResetOfTheClientOn) {
  boost::system::error_code seen;
  Tunnel tunnel{[&seen](tcp::socket socket) { return read_to_end(std::move(socket), seen); }};
  tunnel.run([&seen](Tunnel& t) { return write_and_reset(t, seen); });
  EXPECT_EQ(seen, asio::error::connection_reset);
}

TEST(TunnelOverTcp, ResetsAConnectionWhoseTargetCannotBeReached) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    for (const std::size_t port : {1U, 2U}) {
      tcp::socket socket = co_await t.connect(port);
      std::array<char, 16> block{};
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kNoThrow);
      EXPECT_EQ(error, asio::error::connection_reset);
    }
  });
  const CloseCounts& closes = tunnel.forward_->stats().totals.closes_received;
  EXPECT_EQ(closes.of(wire::CloseReason::dial_failed), 1U);
  EXPECT_EQ(closes.of(wire::CloseReason::unknown_target), 1U);
}

TEST(TunnelOverTcp, CarriesTwoHundredConnectionsAtOnce) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    constexpr int kConnections = 200;
    int done = 0;
    const auto one = [](Tunnel& in, int number, int& finished) -> awaitable<void> {
      tcp::socket socket = co_await in.connect();
      const std::string request(static_cast<std::size_t>(1000 + number * 97),
                                static_cast<char>('a' + number % 26));
      EXPECT_EQ(co_await ask(socket, request), request);
      ++finished;
    };
    for (int i = 0; i < kConnections; ++i) t.scope_.spawn(one(t, i, done));
    co_await t.until([&done] { return done == kConnections; });
  });
  EXPECT_EQ(tunnel.host_->stats().totals.opened, 200U);
}

TEST(TunnelOverTcp, LetsOneStalledTargetHoldUpNobodyElse) {
  // The first connection is never read; the others echo.
  Tunnel tunnel{[number = 0](tcp::socket socket) mutable {
    return number++ == 0 ? leave_unread(std::move(socket)) : echo(std::move(socket));
  }};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket stalled = co_await t.connect();
    stalled.non_blocking(true);
    const std::string block(1024 * 1024, 'x');
    boost::system::error_code error;
    co_await t.until([&t] { return t.host_->stats().streams == 1; });
    // Until nothing goes in any more, anywhere: both kernels and the window are full.
    std::size_t rounds = 0;
    while (rounds < 50) {
      const std::size_t taken = stalled.write_some(asio::buffer(block), error);
      rounds = taken > 0 ? 0 : rounds + 1;
      asio::steady_timer pause{t.executor_, 1ms};
      co_await pause.async_wait(use_awaitable);
    }
    const Bytes held = t.host_->stats().totals.held;
    EXPECT_GT(held, Bytes{});
    EXPECT_LE(held, limits::kMaxStreamWindow);
    tcp::socket other = co_await t.connect();
    const std::string request(500'000, 'y');
    EXPECT_EQ(co_await ask(other, request), request);
    EXPECT_LE(t.host_->stats().totals.held, limits::kMaxStreamWindow);
    stalled.set_option(asio::socket_base::linger{true, 0});
    t.host_link_->die();
  });
  EXPECT_EQ(tunnel.forward_end_->code, Errc::link_lost);
}

TEST(TunnelOverTcp, PushesBackIntoTheApplicationsWhileTheLinkTakesNothing) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    std::vector<tcp::socket> sockets;
    sockets.reserve(8);
    for (int i = 0; i < 8; ++i) sockets.push_back(co_await t.connect());
    co_await t.until([&t] { return t.host_->stats().streams == 8; });
    t.forward_link_->hold();
    const std::string block(256 * 1024, 'x');
    std::size_t offered = 0;
    for (std::size_t rounds = 0; rounds < 50; ++rounds) {
      for (tcp::socket& socket : sockets) {
        socket.non_blocking(true);
        boost::system::error_code error;
        const std::size_t taken = socket.write_some(asio::buffer(block), error);
        offered += taken;
        if (taken > 0) rounds = 0;
      }
      asio::steady_timer pause{t.executor_, 1ms};
      co_await pause.async_wait(use_awaitable);
    }
    EXPECT_GT(offered, 0U);
    EXPECT_LE(t.forward_->stats().link_buffered, limits::kHighWaterMark + limits::kDefaultPayload + Bytes{9});
    EXPECT_EQ(t.forward_->stats().totals.held, Bytes{})
        << "nothing waits in the tunnel: it waits in the kernels";
    t.forward_link_->release();
    // Reading on lets all of it through.
    for (tcp::socket& socket : sockets) {
      socket.non_blocking(true);
    }
    std::size_t back = 0;
    std::vector<char> into(256 * 1024);
    co_await t.until([&] {
      for (tcp::socket& socket : sockets) {
        boost::system::error_code error;
        back += socket.read_some(asio::buffer(into), error);
      }
      return back == offered;
    });
  });
  EXPECT_GT(tunnel.forward_->stats().gate.mark.times_closed, 0U);
}

TEST(TunnelOverTcp, LeavesNothingOpenWhenItsLinkIsLost) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    std::vector<tcp::socket> sockets;
    sockets.reserve(10);
    for (int i = 0; i < 10; ++i) sockets.push_back(co_await t.connect());
    co_await t.until([&t] { return t.host_->stats().streams == 10; });
    t.host_link_->die();
    for (tcp::socket& socket : sockets) {
      std::array<char, 16> block{};
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), kNoThrow);
      EXPECT_EQ(error, asio::error::connection_reset);
    }
  });
  EXPECT_EQ(tunnel.host_end_->code, Errc::link_lost);
  EXPECT_EQ(tunnel.forward_end_->code, Errc::link_lost);
}

TEST(TunnelOverTcp, LeavesNothingOpenWhenItIsCancelledInTheMiddle) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket socket = co_await t.connect();
    const std::string block(1024 * 1024, 'x');
    co_await asio::async_write(socket, asio::buffer(block.data(), 100'000), use_awaitable);
    t.scope_.cancel();
    std::vector<char> into(1024 * 1024);
    const auto [error, size] = co_await asio::async_read(socket, asio::buffer(into), kNoThrow);
    EXPECT_TRUE(error.failed());
  });
  EXPECT_EQ(tunnel.forward_end_->code, Errc::cancelled);
  EXPECT_EQ(tunnel.host_end_->code, Errc::cancelled);
}

TEST(TunnelOverTcp, DrainsBeforeItStops) {
  Tunnel tunnel{echo};
  tunnel.run([](Tunnel& t) -> awaitable<void> {
    tcp::socket socket = co_await t.connect();
    co_await t.until([&t] { return t.host_->stats().streams == 1; });
    t.forward_->stop();
    EXPECT_EQ(co_await ask(socket, "last words"), "last words");
  });
  EXPECT_EQ(tunnel.forward_end_->code, Errc::closed);
}

}  // namespace
}  // namespace sluice::tunnel
