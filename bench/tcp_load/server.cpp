#include "bench/tcp_load/server.hpp"

#include <array>
#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>
#include <boost/system/system_error.hpp>

#include "bench/tcp_load/protocol.hpp"

namespace sluice::tcp_load {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::system_error;

constexpr int kBacklog = 4096;

/// What every fetch sends: one block, touched once so that its pages exist.
const std::array<char, kBlock>& block() {
  static const auto filled = [] {
    auto bytes = std::make_unique<std::array<char, kBlock>>();
    bytes->fill('s');
    return bytes;
  }();
  return *filled;
}

asio::awaitable<void> send_bytes(tcp::socket& socket) {
  std::uint64_t left = 0;
  co_await asio::async_read(socket, asio::buffer(&left, sizeof left), use_awaitable);
  boost::endian::big_to_native_inplace(left);
  while (left > 0) {
    const std::size_t step = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlock));
    left -= co_await socket.async_write_some(asio::buffer(block().data(), step), use_awaitable);
  }
}

asio::awaitable<void> count_bytes(tcp::socket& socket) {
  const auto buffer = std::make_unique<std::array<char, kBlock>>();
  std::uint64_t count = 0;
  try {
    while (true) count += co_await socket.async_read_some(asio::buffer(*buffer), use_awaitable);
  } catch (const system_error& error) {
    if (error.code() != asio::error::eof) throw;
  }
  boost::endian::native_to_big_inplace(count);
  co_await asio::async_write(socket, asio::buffer(&count, sizeof count), use_awaitable);
}

asio::awaitable<void> send_back(tcp::socket& socket) {
  std::array<char, kEchoBlock> buffer{};
  while (true) {
    const std::size_t size = co_await socket.async_read_some(asio::buffer(buffer), use_awaitable);
    co_await asio::async_write(socket, asio::buffer(buffer.data(), size), use_awaitable);
  }
}

asio::awaitable<void> serve(tcp::socket socket) {
  try {
    socket.set_option(tcp::no_delay{true});
    Request request{};
    co_await asio::async_read(socket, asio::buffer(&request, sizeof request), use_awaitable);
    switch (request) {
      case Request::fetch:
        co_await send_bytes(socket);
        break;
      case Request::push:
        co_await count_bytes(socket);
        break;
      case Request::echo:
        co_await send_back(socket);
        break;
    }
  } catch (const system_error& error) {
    if (error.code() == asio::error::operation_aborted)
      throw;  // the server ends; else the client ended, as it may
  }
}

}  // namespace

Server::Server(const asio::any_io_executor& executor)
    : acceptor_(executor, tcp::endpoint{asio::ip::address_v4::loopback(), 0}), connections_(executor) {
  acceptor_.listen(kBacklog);
}

asio::awaitable<void> Server::run() {
  while (true) connections_.spawn(serve(co_await acceptor_.async_accept(use_awaitable)));
}

}  // namespace sluice::tcp_load
