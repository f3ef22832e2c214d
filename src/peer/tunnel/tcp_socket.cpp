#include "peer/tunnel/tcp_socket.hpp"

#include <sys/socket.h>
#include <utility>

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

}  // namespace

TcpSocket::TcpSocket(tcp::socket socket, Report report)
    : waits_(std::make_shared<Waits>(std::move(socket), report)) {
  boost::system::error_code ignored;  // a socket that died meanwhile says so when it is read
  waits_->waitable.non_blocking(true, ignored);
  waits_->waitable.set_option(tcp::no_delay{true}, ignored);
}

TcpSocket::~TcpSocket() {
  waits_->listener = nullptr;
  reset();
}

Transfer TcpSocket::read_some(ByteSpan into) {
  const ssize_t got = ::recv(waits_->waitable.native_handle(), into.data(), into.size(), 0);
  return finish_read(*waits_, got, into.size());
}

Transfer TcpSocket::write_some(ByteView from) {
  const ssize_t put = ::send(waits_->waitable.native_handle(), from.data(), from.size(), MSG_NOSIGNAL);
  return finish_write(*waits_, put, from.size());
}

void TcpSocket::shutdown_send() {
  boost::system::error_code ignored;  // it fails only where the connection is gone already
  waits_->waitable.shutdown(tcp::socket::shutdown_send, ignored);
}

void TcpSocket::close() {
  boost::system::error_code ignored;
  waits_->waitable.shutdown(tcp::socket::shutdown_both, ignored);
  waits_->waitable.close(ignored);
}

void TcpSocket::reset() {
  if (!waits_->waitable.is_open()) return;
  boost::system::error_code ignored;
  waits_->waitable.set_option(asio::socket_base::linger{true, 0}, ignored);
  waits_->waitable.close(ignored);
}

}  // namespace sluice::tunnel
