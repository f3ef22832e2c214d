#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "runtime/task_scope.hpp"

namespace sluice::tcp_load {

/// Accepts connections on loopback and serves each as its first byte asks (protocol.hpp), until it is
/// cancelled. One thread; a connection that fails ends alone.
class Server {
 public:
  explicit Server(const boost::asio::any_io_executor& executor);

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  boost::asio::awaitable<void> run();

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
  runtime::TaskScope connections_;
};

}  // namespace sluice::tcp_load
