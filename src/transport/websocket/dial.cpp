#include "transport/websocket/dial.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "observe/log.hpp"
#include "runtime/wake_up.hpp"
#include "transport/websocket/fingerprint.hpp"

namespace sluice::websocket {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using Endpoints = std::vector<tcp::endpoint>;

/// A name look-up that can be given up: the system's cannot, so it may outlive whoever asked.
struct LookUp {
  explicit LookUp(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
  tcp::resolver resolver;
  runtime::WakeUp done;
  error_code error;
  Endpoints found;
};

asio::awaitable<Result<Endpoints>> resolve(Url url) {
  error_code numeric;
  const auto address = asio::ip::make_address(url.host, numeric);
  if (!numeric) co_return Endpoints{tcp::endpoint{address, url.port}};
  const auto look_up = std::make_shared<LookUp>(co_await asio::this_coro::executor);
  look_up->resolver.async_resolve(url.host, std::to_string(url.port),
                                  [look_up](error_code error, const tcp::resolver::results_type& results) {
                                    look_up->error = error;
                                    for (const auto& result : results)
                                      look_up->found.push_back(result.endpoint());
                                    look_up->done.notify();
                                  });
  co_await look_up->done.wait();
  if (look_up->error || look_up->found.empty()) {
    co_return fail(Errc::not_found,
                   "No address is known for the host " + url.host + ": " + look_up->error.message());
  }
  co_return std::move(look_up->found);
}

Status check_plain(const Url& url, const Endpoints& endpoints, PlainPolicy policy) {
  if (url.scheme == Url::Scheme::wss) return {};
  const bool local =
      std::ranges::all_of(endpoints, [](const auto& endpoint) { return endpoint.address().is_loopback(); });
  if (local) return {};
  if (policy == PlainPolicy::loopback) {
    return fail(Errc::permission_denied,
                "ws:// is for hubs on this machine: use wss:// for " + url.host + '.');
  }
  observe::log(observe::LogLevel::warn, "websocket",
               "the connection to " + authority(url) + " is not encrypted");
  return {};
}

/// Before it connects, since TCP agrees then on how large its window may become (RFC 7323 §2.2).
void shrink(tcp::socket& socket, const tcp& protocol, Bytes receive_buffer) {
  error_code ignored;
  socket.close(ignored);
  socket.open(protocol, ignored);
  socket.set_option(asio::socket_base::receive_buffer_size{static_cast<int>(receive_buffer.count())},
                    ignored);
}

asio::awaitable<Result<tcp::socket>> reach(Url url, Endpoints endpoints, TimePoint deadline,
                                           std::optional<Bytes> receive_buffer) {
  beast::tcp_stream stream{co_await asio::this_coro::executor};
  error_code last;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // An address that swallows packets leaves the next ones their share of the time.
    const Duration left = std::max(Duration::zero(), deadline - Clock::now());
    stream.expires_after(left / static_cast<int>(endpoints.size() - i));
    if (receive_buffer) shrink(stream.socket(), endpoints[i].protocol(), *receive_buffer);
    auto [error] = co_await stream.async_connect(endpoints[i], kAwait);
    if (!error) {
      stream.expires_never();
      stream.socket().set_option(tcp::no_delay{true}, error);
      co_return stream.release_socket();
    }
    last = error;
  }
  const std::string where = authority(url);
  if (last == beast::error::timeout) co_return fail(Errc::timed_out, where + " does not answer.");
  if (last == asio::error::connection_refused) {
    co_return fail(Errc::unreachable, where + " refused the connection: nothing listens there.");
  }
  co_return fail(Errc::unreachable, "Cannot reach " + where + ": " + last.message());
}

Error untrusted(const Url& url, long verdict, const Fingerprint& shown) {
  const std::string why = verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH
                              ? "it is not for this host name"
                              : X509_verify_cert_error_string(verdict);
  return {.code = Errc::permission_denied,
          .message = "The certificate of " + authority(url) + " is not trusted (" + why +
                     "). Its fingerprint is " + shown + "; if that is what the hub printed, pin it."};
}

/// Whom the certificate must be for: a name (RFC 6125, without partial wildcards) or an address.
void expect_host(SSL* ssl, const std::string& host) {
  error_code numeric;
  (void)asio::ip::make_address(host, numeric);
  if (numeric) {
    SSL_set_tlsext_host_name(ssl, host.c_str());  // names only (RFC 6066 §3)
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  }
}

/// What the other side has shown is looked at once the handshake is done, and before anything is said.
Status check_certificate(const Url& url, SSL* ssl, const std::optional<Fingerprint>& pin) {
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  const Fingerprint shown = certificate == nullptr ? "none" : fingerprint_of(certificate);
  if (pin) {
    if (shown == *pin) return {};
    return fail(Errc::permission_denied, "The certificate of " + authority(url) +
                                             " is not the pinned one: expected " + *pin + ", got " + shown +
                                             '.');
  }
  const long verdict = SSL_get_verify_result(ssl);
  if (certificate != nullptr && verdict == X509_V_OK) return {};
  return fail(untrusted(url, verdict, shown));
}

asio::awaitable<Status> secure(NativeStream& stream, Url url, std::optional<Fingerprint> pin) {
  SSL* const ssl = stream.tls();
  SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);  // the verdict is made all the same
  expect_host(ssl, url.host);
  for (;;) {
    const auto io = stream.handshake();
    if (io.state == NativeStream::State::ready) break;
    if (!co_await ready(stream.socket(), io.state))
      co_return fail(Errc::protocol_violation, "No TLS with " + authority(url) + '.');
  }
  co_return check_certificate(url, ssl, pin);
}

}  // namespace

asio::awaitable<bool> ready(tcp::socket& socket, NativeStream::State wanted) {
  if (wanted != NativeStream::State::wants_read && wanted != NativeStream::State::wants_write)
    co_return false;
  const auto kind = wanted == NativeStream::State::wants_read ? asio::socket_base::wait_read
                                                              : asio::socket_base::wait_write;
  const auto [error] = co_await socket.async_wait(kind, kAwait);
  co_return !error;
}

asio::awaitable<Result<NativeStream>> dial(Url url, DialOptions options, std::shared_ptr<Trust> trust) {
  const TimePoint deadline = Clock::now() + options.timeout;
  auto endpoints = co_await resolve(url);
  if (!endpoints) co_return fail(endpoints.error());
  if (auto allowed = check_plain(url, *endpoints, options.plain); !allowed) co_return fail(allowed.error());
  auto reached = co_await reach(url, std::move(*endpoints), deadline, options.receive_buffer);
  if (!reached) co_return fail(reached.error());
  if (url.scheme == Url::Scheme::ws) co_return NativeStream{std::move(*reached)};
  auto context = trust->context();
  if (!context) co_return fail(context.error());
  NativeStream stream{std::move(*reached), **context, NativeStream::End::client};
  if (auto secured = co_await secure(stream, std::move(url), std::move(options.pin)); !secured)
    co_return fail(secured.error());
  co_return std::move(stream);
}

Result<asio::ssl::context*> Trust::context() {
  if (!context_) {
    auto made = client_context();
    if (!made) return fail(made.error());
    context_.emplace(std::move(*made));
  }
  return &*context_;
}

Result<std::optional<Fingerprint>> check_pin(const Url& url, const std::optional<std::string>& pin) {
  if (!pin) return std::nullopt;
  auto fingerprint = parse_fingerprint(*pin);
  if (!fingerprint) return fail(fingerprint.error());
  if (url.scheme == Url::Scheme::ws) {
    return fail(Errc::invalid_argument,
                "A fingerprint is pinned, but " + authority(url) + " has no certificate: use wss://.");
  }
  return std::move(*fingerprint);
}

}  // namespace sluice::websocket
