#include "transport/websocket/native_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/ensure.hpp"
#include "core/limits.hpp"

namespace sluice::websocket {
namespace {

/// The descriptor that a BIO carries. OpenSSL's own socket BIO calls write(2), which raises SIGPIPE.
int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int bio_write(BIO* bio, const char* data, int size) {
  const auto sent =
      ::send(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  BIO_clear_retry_flags(bio);
  if (sent < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* room, int size) {
  const auto got = ::recv(descriptor_of(bio), room, static_cast<std::size_t>(size), MSG_DONTWAIT);
  BIO_clear_retry_flags(bio);
  if (got < 0 && would_block()) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  struct Free {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
  };
  static const auto method = [] {
    std::unique_ptr<BIO_METHOD, Free> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice socket")};
    ENSURE(made != nullptr);
    BIO_meth_set_write(made.get(), bio_write);
    BIO_meth_set_read(made.get(), bio_read);
    BIO_meth_set_ctrl(made.get(), bio_control);
    return made;
  }();
  return method.get();
}

}  // namespace

void NativeStream::FreeTls::operator()(SSL* tls) const {
  SSL_free(tls);
}

NativeStream::NativeStream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

NativeStream::NativeStream(asio::ip::tcp::socket socket, asio::ssl::context& context, End end)
    : socket_(std::move(socket)), tls_(SSL_new(context.native_handle())) {
  ENSURE(tls_ != nullptr);
  BIO* bio = BIO_new(socket_method());
  ENSURE(bio != nullptr);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket_.native_handle())));
  BIO_set_init(bio, 1);
  SSL_set_bio(tls_.get(), bio, bio);
  SSL_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
  end == End::server ? SSL_set_accept_state(tls_.get()) : SSL_set_connect_state(tls_.get());
}

NativeStream::NativeStream(NativeStream&&) noexcept = default;
NativeStream::~NativeStream() = default;

NativeStream::State NativeStream::tls_state(int result) const {
  const int error = SSL_get_error(tls_.get(), result);
  // What is left in the queue of errors would be taken for the next connection's.
  ERR_clear_error();
  switch (error) {
    case SSL_ERROR_NONE:
      return State::ready;
    case SSL_ERROR_WANT_READ:
      return State::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return State::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      return State::ended;
    default:
      return State::failed;
  }
}

NativeStream::Io NativeStream::handshake() {
  if (tls_ == nullptr) return {};
  return {.state = tls_state(SSL_do_handshake(tls_.get()))};
}

NativeStream::Io NativeStream::read(ByteSpan room) {
  if (tls_ == nullptr) {
    const auto got = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    if (got > 0) return {.state = State::ready, .bytes = static_cast<std::size_t>(got)};
    if (got == 0) return {.state = State::ended};
    return {.state = would_block() ? State::wants_read : State::failed};
  }
  Io done;
  while (done.bytes < room.size() && done.state == State::ready) {
    std::size_t got = 0;
    const int result = SSL_read_ex(tls_.get(), room.data() + done.bytes, room.size() - done.bytes, &got);
    done.bytes += got;
    done.state = result == 1 ? State::ready : tls_state(result);
  }
  return done;
}

NativeStream::Io NativeStream::write(ByteView bytes) {
  return tls_ == nullptr ? plain_write(bytes) : tls_write(bytes);
}

NativeStream::Io NativeStream::plain_write(ByteView bytes) {
  if (bytes.empty()) return {};
  const auto sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return {.state = would_block() ? State::wants_write : State::failed};
  const auto taken = static_cast<std::size_t>(sent);
  return {.state = taken == bytes.size() ? State::ready : State::wants_write, .bytes = taken};
}

NativeStream::Io NativeStream::tls_write(ByteView bytes) {
  std::size_t sent = 0;
  if (!refused_.empty()) {
    const int result = SSL_write_ex(tls_.get(), refused_.data(), refused_.size(), &sent);
    if (result != 1) return {.state = tls_state(result)};
    ENSURE(sent == refused_.size());
    refused_ = ByteBuffer{};
  }
  Io done;
  while (done.bytes < bytes.size()) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - done.bytes,
                                                   static_cast<std::size_t>(limits::kDtlsRecord.count()));
    const ByteView record = bytes.subspan(done.bytes, size);
    const int result = SSL_write_ex(tls_.get(), record.data(), record.size(), &sent);
    done.state = result == 1 ? State::ready : tls_state(result);
    if (done.state == State::wants_write) {
      refused_ = to_buffer(record);
      done.bytes += size;
      return done;
    }
    // Without renegotiation a write waits for no read.
    if (done.state == State::wants_read) done.state = State::failed;
    if (done.state != State::ready) return done;
    done.bytes += sent;
  }
  return done;
}

bool NativeStream::has_read_ahead() const {
  return tls_ != nullptr && SSL_pending(tls_.get()) > 0;
}

void NativeStream::end_sending() {
  // A record that is held back would have to go first: then there is no orderly end in TLS.
  if (tls_ != nullptr && refused_.empty()) {
    (void)SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void NativeStream::reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
  close();
}

void NativeStream::close() {
  error_code ignored;
  socket_.close(ignored);
  refused_ = ByteBuffer{};
}

NativeStream NativeStream::rebound(const asio::any_io_executor& executor) && {
  NativeStream moved{asio::ip::tcp::socket{executor}};
  error_code error;
  const auto local = socket_.local_endpoint(error);
  if (!error) {
    const int descriptor = socket_.release(error);
    if (!error) {
      moved.socket_.assign(local.protocol(), descriptor, error);
      if (error) ::close(descriptor);
    }
  }
  // OpenSSL knows the descriptor, not the socket.
  moved.tls_ = std::move(tls_);
  moved.refused_ = std::exchange(refused_, {});
  close();
  return moved;
}

ByteStream NativeStream::into_byte_stream() && {
  ENSURE(refused_.empty());
  beast::tcp_stream stream{std::move(socket_)};
  if (tls_ == nullptr) return ByteStream{std::move(stream)};
  return ByteStream{std::move(stream), tls_.release()};
}

}  // namespace sluice::websocket
