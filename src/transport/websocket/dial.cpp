#include "transport/websocket/dial.hpp"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "observe/log.hpp"
#include "transport/dialing/connect.hpp"
#include "transport/websocket/fingerprint.hpp"

namespace sluice::websocket {
namespace {

using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Plain ones lead to this machine only, whatever a name server says.
Status check_plain(const Url& url, const asio::ip::address& address, PlainPolicy policy) {
  if (url.scheme == Url::Scheme::wss || address.is_loopback() || policy == PlainPolicy::anywhere) return {};
  return fail(Errc::permission_denied, "ws:// is for hubs on this machine: use wss:// for " + url.host + '.');
}

Error unreached(const Url& url, dialing::ConnectFailure failure) {
  using Why = dialing::ConnectFailure::Why;
  const std::string where = authority(url);
  switch (failure.why) {
    case Why::not_found:
      return {.code = Errc::not_found,
              .message = "No address is known for the host " + url.host + ": " + failure.text};
    case Why::refused:
      return {.code = Errc::unreachable,
              .message = where + " refused the connection: nothing listens there."};
    case Why::timed_out:
      return {.code = Errc::timed_out, .message = where + " does not answer."};
    case Why::no_descriptors:
      return {.code = Errc::limit_exceeded,
              .message = "Cannot connect to " + where + ": this process has no descriptors left."};
    case Why::not_allowed:
      if (failure.error) return std::move(*failure.error);
      break;
    case Why::unreachable:
    case Why::given_up:
      break;
  }
  return {.code = Errc::unreachable, .message = "Cannot reach " + where + ": " + failure.text};
}

asio::awaitable<Result<tcp::socket>> reach(Url url, DialOptions options) {
  dialing::Connect connect{co_await asio::this_coro::executor};
  dialing::Destination to{.host = url.host, .port = url.port};
  dialing::ConnectOptions how{
      .limit = options.timeout,
      .allow = [url, plain = options.plain](const auto& address) { return check_plain(url, address, plain); },
      .receive_buffer = options.receive_buffer};
  auto connecting = connect.run(std::move(to), std::move(how));
  auto socket = co_await std::move(connecting);
  if (!socket) co_return fail(unreached(url, std::move(socket.error())));
  error_code ignored;
  socket->set_option(tcp::no_delay{true}, ignored);
  const auto remote = socket->remote_endpoint(ignored).address();
  if (url.scheme == Url::Scheme::ws && !remote.is_loopback()) {
    observe::log(observe::LogLevel::warn, "websocket",
                 "the connection to " + authority(url) + " is not encrypted");
  }
  co_return std::move(*socket);
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
  auto reaching = reach(url, options);
  auto reached = co_await std::move(reaching);
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

std::string hint_for(unsigned status) {
  constexpr unsigned kForbidden = 403;
  if (status != kForbidden) return {};
  return " A hub answers so when it does not go by the name in the URL: name it in the hub's listen.hosts.";
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
