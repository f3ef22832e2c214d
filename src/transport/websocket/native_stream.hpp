#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "core/bytes.hpp"
#include "transport/websocket/stream.hpp"

/// For the room itself: what a connection is read from and written to.
namespace sluice::websocket {

/// A TCP connection that never blocks, plain or with OpenSSL straight on its descriptor.
///
/// One shard. Holds no buffer, but for one TLS record while the system does not take it: OpenSSL has sealed
/// it by then, so it counts as taken and goes out before anything else.
class NativeStream {
 public:
  enum class End : std::uint8_t { server, client };

  explicit NativeStream(asio::ip::tcp::socket socket);
  /// That end of TLS; `handshake` comes first. OpenSSL keeps what it needs of the context.
  NativeStream(asio::ip::tcp::socket socket, asio::ssl::context& context, End end = End::server);
  NativeStream(NativeStream&&) noexcept;
  NativeStream& operator=(NativeStream&&) = delete;
  ~NativeStream();

  enum class State : std::uint8_t {
    ready,
    wants_read,   ///< Nothing more until the socket is readable.
    wants_write,  ///< Nothing more until the socket is writable.
    ended,        ///< The other side sends no more, in good order.
    failed,
  };
  /// What was done, and why not more.
  struct Io {
    State state = State::ready;
    std::size_t bytes = 0;
  };

  [[nodiscard]] Io handshake();
  [[nodiscard]] Io read(ByteSpan room);
  /// Takes from the front. With no bytes: only what is held back goes.
  [[nodiscard]] Io write(ByteView bytes);
  /// Something was read from the socket that no `read` has returned: the socket need not become readable.
  [[nodiscard]] bool has_read_ahead() const;
  /// This side sends no more: says so in TLS and in TCP. Reading goes on.
  void end_sending();
  /// Closes the socket by a reset: what the system still holds is lost.
  void reset();
  void close();

  [[nodiscard]] asio::ip::tcp::socket& socket() { return socket_; }
  /// Null without TLS.
  [[nodiscard]] SSL* tls() { return tls_.get(); }
  /// The same connection on another shard; this is empty afterwards. Nothing may be pending on the socket.
  /// When the system refuses, the connection is closed and so is the socket of what is returned.
  [[nodiscard]] NativeStream rebound(const asio::any_io_executor& executor) &&;
  /// The same connection for Beast. Nothing may be held back, or read ahead; this is empty afterwards.
  [[nodiscard]] ByteStream into_byte_stream() &&;

 private:
  struct FreeTls {
    void operator()(SSL* tls) const;
  };
  [[nodiscard]] Io plain_write(ByteView bytes);
  [[nodiscard]] Io tls_write(ByteView bytes);
  [[nodiscard]] State tls_state(int result) const;

  asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, FreeTls> tls_;
  ByteBuffer refused_;  ///< The record that the system does not take, as OpenSSL must be given it again.
};

}  // namespace sluice::websocket
