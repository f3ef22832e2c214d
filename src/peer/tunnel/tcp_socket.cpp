#include "peer/tunnel/tcp_socket.hpp"

#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include "core/client_limits.hpp"
#include "core/time.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using Stream = asio::generic::stream_protocol::socket;

/// Fails where the socket is none of TCP's, and where it died meanwhile: that is found when it is read.
void set_for_tcp(int descriptor, int option, int value) {
  (void)::setsockopt(descriptor, IPPROTO_TCP, option, &value, sizeof value);
}

constexpr int seconds(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

}  // namespace

TcpSocket::TcpSocket(Stream socket, Report report)
    : waits_(std::make_shared<Waits>(std::move(socket), report)) {
  boost::system::error_code ignored;  // a socket that died meanwhile says so when it is read
  waits_->waitable.non_blocking(true, ignored);
  waits_->waitable.set_option(asio::socket_base::keep_alive{true}, ignored);
  const int descriptor = waits_->waitable.native_handle();
  set_for_tcp(descriptor, TCP_NODELAY, 1);
  set_for_tcp(descriptor, TCP_KEEPIDLE, seconds(limits::kKeepAliveIdle));
  set_for_tcp(descriptor, TCP_KEEPINTVL, seconds(limits::kKeepAliveInterval));
  set_for_tcp(descriptor, TCP_KEEPCNT, limits::kKeepAliveProbes);
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
  waits_->waitable.shutdown(Stream::shutdown_send, ignored);
}

void TcpSocket::close() {
  boost::system::error_code ignored;
  waits_->waitable.shutdown(Stream::shutdown_both, ignored);
  waits_->waitable.close(ignored);
}

void TcpSocket::reset() {
  if (!waits_->waitable.is_open()) return;
  boost::system::error_code ignored;
  waits_->waitable.set_option(asio::socket_base::linger{true, 0}, ignored);
  waits_->waitable.close(ignored);
}

}  // namespace sluice::tunnel
