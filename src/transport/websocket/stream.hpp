#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "core/bytes.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"

/// For the room itself: the byte streams that WebSockets run on. The only header here that brings Beast.
namespace sluice::websocket {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

/// A TCP connection, with TLS or without, as one type, so that everything above it is compiled once.
/// Meets Beast's AsyncReadStream and AsyncWriteStream.
class ByteStream {
 public:
  using Plain = beast::tcp_stream;
  using Tls = asio::ssl::stream<beast::tcp_stream>;
  using executor_type = Plain::executor_type;

  explicit ByteStream(Plain stream) : stream_(std::move(stream)) {}
  /// The context outlives the handshake; OpenSSL keeps what it needs of it.
  ByteStream(Plain stream, asio::ssl::context& context)
      : stream_(std::in_place_type<Tls>, std::move(stream), context) {}
  /// With TLS whose handshake is done; takes it over.
  ByteStream(Plain stream, SSL* tls) : stream_(std::in_place_type<Tls>, std::move(stream), tls) {}

  executor_type get_executor() { return tcp().get_executor(); }
  Plain& tcp() {
    auto* tls_stream = tls();
    return tls_stream == nullptr ? std::get<Plain>(stream_) : tls_stream->next_layer();
  }
  /// Null without TLS.
  Tls* tls() { return std::get_if<Tls>(&stream_); }

  /// Gives back what was read of the connection before and belongs to whatever reads from now on: that comes
  /// first.
  void put_back(ByteBuffer bytes) { put_back_ = std::move(bytes); }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& room) {
          if (!put_back_.empty()) {
            const std::size_t taken = asio::buffer_copy(room, asio::buffer(put_back_));
            put_back_.erase(put_back_.begin(), put_back_.begin() + static_cast<std::ptrdiff_t>(taken));
            asio::post(get_executor(), beast::bind_front_handler(std::move(handler), error_code{}, taken));
          } else if (auto* tls_stream = tls()) {
            tls_stream->async_read_some(room, std::move(handler));
          } else {
            std::get<Plain>(stream_).async_read_some(room, std::move(handler));
          }
        },
        token, buffers);
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (auto* tls_stream = tls()) return tls_stream->async_write_some(buffers, std::forward<Token>(token));
    return std::get<Plain>(stream_).async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  std::variant<Plain, Tls> stream_;
  ByteBuffer put_back_;
};

/// Beast's customisation points, found by argument-dependent look-up: how a stream is closed at once, and in
/// order.
inline void beast_close_socket(ByteStream& stream) {
  error_code ignored;
  stream.tcp().socket().close(ignored);
}

/// Ends a connection so that what was sent last still arrives: closing a socket with unread bytes in it
/// resets the connection, and a reset overtakes data (RFC 2525 §2.17). So each side says that it is done, in
/// TLS and in TCP, and reads on until the other one hangs up; a server says it first (RFC 6455 §7.1.1).
/// A peer that neither hangs up nor stops sending is left after `limits::kHttpLinger`, as Beast's own timer
/// would let it go on for as long as a handshake may take.
struct TearDown {
  ByteStream& stream;
  beast::role_type role;
  std::unique_ptr<std::array<char, 2048>> scrap = std::make_unique<std::array<char, 2048>>();
  enum class Step : std::uint8_t { begin, tls, tcp, drain } step = Step::begin;
  TimePoint until{};

  template <typename Self>
  void operator()(Self& self, error_code error = {}, std::size_t = 0) {
    if (step == Step::begin) {
      step = Step::tls;
      until = Clock::now() + limits::kHttpLinger;
      stream.tcp().expires_after(limits::kHttpLinger);
    }
    if (step == Step::tls) {
      step = Step::tcp;
      if (auto* tls = stream.tls()) return tls->async_shutdown(std::move(self));
    }
    if (step == Step::tcp) {
      step = Step::drain;
      // Without an answer in TLS, because of unread data, there still is one in TCP.
      error = {};
      error_code ignored;
      if (role == beast::role_type::server || stream.tls() != nullptr) {
        stream.tcp().socket().shutdown(asio::socket_base::shutdown_send, ignored);
      }
    }
    // How a connection that is over goes down is nobody's error. The stream's own timer ends a wait; it does
    // not see the end of a peer's time that never lets it wait.
    if (error || Clock::now() >= until) return self.complete({});
    const auto room = asio::buffer(*scrap);
    stream.tcp().async_read_some(room, std::move(self));
  }
};

template <typename Handler>
void async_teardown(beast::role_type role, ByteStream& stream, Handler&& handler) {
  asio::async_compose<Handler, void(error_code)>(TearDown{.stream = stream, .role = role}, handler, stream);
}

/// Without permessage-deflate: what is carried is sealed, and a compressor is memory that a peer can make us
/// spend.
using WebSocketStream = beast::websocket::stream<ByteStream, false>;

}  // namespace sluice::websocket
