#include "bench/tcp_load/client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "bench/tcp_load/protocol.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::tcp_load {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPingBytes = 64;
/// Connections that `hold` opens at once.
constexpr std::size_t kOpeners = 32;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void expect(std::uint64_t found, std::uint64_t wanted) {
  if (found != wanted) throw std::runtime_error{fmt::format("{} bytes came instead of {}", found, wanted)};
}

asio::awaitable<tcp::socket> open(std::uint16_t port) {
  tcp::socket socket{co_await asio::this_coro::executor};
  co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, use_awaitable);
  socket.set_option(tcp::no_delay{true});
  co_return socket;
}

/// Reads to the end and returns how many bytes came.
asio::awaitable<std::uint64_t> read_to_end(tcp::socket& socket) {
  const auto buffer = std::make_unique<std::array<char, kBlock>>();
  std::uint64_t count = 0;
  try {
    while (true) count += co_await socket.async_read_some(asio::buffer(*buffer), use_awaitable);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::eof) throw;
  }
  co_return count;
}

asio::awaitable<void> fetch_one(tcp::socket& socket, std::uint64_t bytes) {
  std::array<std::uint8_t, 9> request{static_cast<std::uint8_t>(Request::fetch)};
  boost::endian::store_big_u64(request.data() + 1, bytes);
  co_await asio::async_write(socket, asio::buffer(request), use_awaitable);
  expect(co_await read_to_end(socket), bytes);
}

asio::awaitable<void> push_one(tcp::socket& socket, std::uint64_t bytes) {
  const auto block = std::make_unique<std::array<char, kBlock>>();
  block->fill(static_cast<char>(Request::push));
  for (std::uint64_t left = bytes + 1; left > 0;) {  // one more: the request
    const std::size_t step = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlock));
    left -= co_await socket.async_write_some(asio::buffer(block->data(), step), use_awaitable);
  }
  socket.shutdown(tcp::socket::shutdown_send);
  std::array<std::uint8_t, sizeof(std::uint64_t)> answer{};
  co_await asio::async_read(socket, asio::buffer(answer), use_awaitable);
  expect(boost::endian::load_big_u64(answer.data()), bytes);
}

using OneStream = asio::awaitable<void> (*)(tcp::socket&, std::uint64_t);

asio::awaitable<void> run_bulk(Bulk load, OneStream one) {
  const std::uint64_t share = load.bytes / load.streams;
  std::vector<tcp::socket> sockets;
  sockets.reserve(load.streams);
  for (std::size_t n = 0; n < load.streams; ++n) sockets.push_back(co_await open(load.port));
  runtime::TaskScope streams{co_await asio::this_coro::executor};
  const auto start = Clock::now();
  for (tcp::socket& socket : sockets) streams.spawn(one(socket, share));
  co_await streams.join();
  say(fmt::format(R"({{"event":"done","bytes":{},"seconds":{:.6f}}})", share * load.streams,
                  seconds_since(start)));
}

/// One message there and back on an echo connection.
class Echo {
 public:
  explicit Echo(tcp::socket socket) : socket_(std::move(socket)) {}

  asio::awaitable<void> request() {
    const auto byte = Request::echo;
    co_await asio::async_write(socket_, asio::buffer(&byte, sizeof byte), use_awaitable);
  }
  asio::awaitable<void> round() {
    co_await asio::async_write(socket_, asio::buffer(message_), use_awaitable);
    co_await asio::async_read(socket_, asio::buffer(answer_), use_awaitable);
  }
  /// Both directions closed in order; a tunnel has nothing left of it afterwards.
  asio::awaitable<void> close() {
    socket_.shutdown(tcp::socket::shutdown_send);
    try {
      co_await asio::async_read(socket_, asio::buffer(answer_), use_awaitable);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::eof) throw;
    }
    socket_.close();
  }

 private:
  tcp::socket socket_;
  std::array<char, kPingBytes> message_{};
  std::array<char, kPingBytes> answer_{};
};

asio::awaitable<void> connect_again_and_again(std::uint16_t port, std::size_t& left) {
  while (left > 0) {
    --left;
    Echo echo{co_await open(port)};
    co_await echo.request();
    co_await echo.round();
    co_await echo.close();
  }
}

asio::awaitable<void> open_some(std::uint16_t port, std::vector<std::unique_ptr<Echo>>& held,
                                std::size_t& left) {
  while (left > 0) {
    --left;
    auto echo = std::make_unique<Echo>(co_await open(port));
    co_await echo->request();
    co_await echo->round();
    held.push_back(std::move(echo));
  }
}

}  // namespace

asio::awaitable<void> fetch(Bulk load) {
  return run_bulk(load, fetch_one);
}
asio::awaitable<void> push(Bulk load) {
  return run_bulk(load, push_one);
}

asio::awaitable<void> ping(Ping load) {
  Echo echo{co_await open(load.port)};
  co_await echo.request();
  for (std::size_t n = 0; n < load.count / 10; ++n) co_await echo.round();
  std::vector<double> us;
  us.reserve(load.count);
  for (std::size_t n = 0; n < load.count; ++n) {
    const auto start = Clock::now();
    co_await echo.round();
    us.push_back(seconds_since(start) * 1e6);
  }
  std::ranges::sort(us);
  const auto at = [&us](double share) {
    return us.at(std::min(us.size() - 1, static_cast<std::size_t>(share * static_cast<double>(us.size()))));
  };
  say(fmt::format(R"({{"event":"done","count":{},"p50_us":{:.1f},"p99_us":{:.1f},"max_us":{:.1f}}})",
                  us.size(), at(0.5), at(0.99), us.back()));
}

asio::awaitable<void> connect(Connect load) {
  runtime::TaskScope workers{co_await asio::this_coro::executor};
  std::size_t left = load.count;
  const auto start = Clock::now();
  for (std::size_t n = 0; n < load.in_flight; ++n) workers.spawn(connect_again_and_again(load.port, left));
  co_await workers.join();
  say(fmt::format(R"({{"event":"done","count":{},"seconds":{:.6f}}})", load.count, seconds_since(start)));
}

asio::awaitable<void> hold(Hold load) {
  runtime::TaskScope openers{co_await asio::this_coro::executor};
  std::vector<std::unique_ptr<Echo>> held;
  std::size_t left = load.count;
  for (std::size_t n = 0; n < kOpeners; ++n) openers.spawn(open_some(load.port, held, left));
  co_await openers.join();
  say(fmt::format(R"({{"event":"open","count":{}}})", held.size()));
  asio::steady_timer until_cancelled{co_await asio::this_coro::executor, Clock::time_point::max()};
  co_await until_cancelled.async_wait(use_awaitable);
}

}  // namespace sluice::tcp_load
