#include "transport/websocket/client.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/field.hpp>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "observe/log.hpp"
#include "runtime/wake_up.hpp"
#include "transport/websocket/fingerprint.hpp"
#include "transport/websocket/link.hpp"
#include "transport/websocket/tls.hpp"
#include "transport/websocket/url.hpp"

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

asio::awaitable<Result<beast::tcp_stream>> reach(Url url, Endpoints endpoints, TimePoint deadline) {
  beast::tcp_stream stream{co_await asio::this_coro::executor};
  error_code last;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // An address that swallows packets leaves the next ones their share of the time.
    const Duration left = std::max(Duration::zero(), deadline - Clock::now());
    stream.expires_after(left / static_cast<int>(endpoints.size() - i));
    auto [error] = co_await stream.async_connect(endpoints[i], kAwait);
    if (!error) {
      stream.expires_never();
      stream.socket().set_option(tcp::no_delay{true}, error);
      co_return std::move(stream);
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

Error untrusted(const Url& url, SSL* ssl, const Fingerprint& shown) {
  const long verdict = SSL_get_verify_result(ssl);
  std::string why =
      verdict == X509_V_OK ? "it is not for this host name" : X509_verify_cert_error_string(verdict);
  std::string message = "The certificate of " + authority(url) + " is not trusted (" + why + ").";
  if (!shown.empty())
    message += " Its fingerprint is " + shown + "; if that is what the hub printed, pin it.";
  return {.code = Errc::permission_denied, .message = std::move(message)};
}

asio::awaitable<Status> secure(Url url, ByteStream::Tls& tls, std::optional<Fingerprint> pin) {
  SSL* ssl = tls.native_handle();
  error_code numeric;
  (void)asio::ip::make_address(url.host, numeric);
  if (numeric) SSL_set_tlsext_host_name(ssl, url.host.c_str());  // names only (RFC 6066 §3)
  Fingerprint shown;
  if (pin) {
    tls.set_verify_mode(asio::ssl::verify_none);
  } else {
    tls.set_verify_mode(asio::ssl::verify_peer);
    tls.set_verify_callback([&shown, verify = asio::ssl::host_name_verification(url.host)](
                                bool preverified, asio::ssl::verify_context& context) {
      X509_STORE_CTX* store = context.native_handle();
      if (X509_STORE_CTX_get_error_depth(store) == 0)
        shown = fingerprint_of(X509_STORE_CTX_get_current_cert(store));
      return verify(preverified, context);
    });
  }
  auto [failed] = co_await tls.async_handshake(asio::ssl::stream_base::client, kAwait);
  if (!pin) tls.set_verify_callback([](bool preverified, asio::ssl::verify_context&) { return preverified; });
  if (failed) {
    if (!pin && !shown.empty()) co_return fail(untrusted(url, ssl, shown));
    co_return fail(Errc::protocol_violation, "No TLS with " + authority(url) + ": " + failed.message());
  }
  if (pin) {
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate != nullptr) shown = fingerprint_of(certificate);
    if (shown != *pin) {
      co_return fail(Errc::permission_denied, "The certificate of " + authority(url) +
                                                  " is not the pinned one: expected " + *pin + ", got " +
                                                  (shown.empty() ? "none" : shown) + '.');
    }
  }
  co_return Status{};
}

asio::awaitable<Result<std::unique_ptr<transport::Link>>> upgrade(ByteStream stream, Url url,
                                                                  ConnectOptions options) {
  WebSocketStream socket{std::move(stream)};
  prepare(socket, options.link, options.timeout);
  socket.set_option(beast::websocket::stream_base::decorator([](beast::websocket::request_type& request) {
    request.set(beast::http::field::user_agent, "sluice");
  }));
  beast::websocket::response_type response;
  const std::string host = authority(url);
  std::string target = url.path + options.path;
  if (target.empty()) target = "/";
  auto [failed] = co_await socket.async_handshake(response, host, target, kAwait);
  if (failed == beast::websocket::error::upgrade_declined) {
    co_return fail(Errc::refused, authority(url) + " answered " + std::to_string(response.result_int()) +
                                      ' ' + std::string{response.reason()} +
                                      " instead of opening a WebSocket.");
  }
  if (failed == beast::error::timeout)
    co_return fail(Errc::timed_out, authority(url) + " accepted the connection, but then said nothing.");
  if (failed == asio::error::eof || failed == asio::error::connection_reset ||
      failed == beast::http::error::end_of_stream) {
    co_return fail(Errc::refused, authority(url) + " accepted the connection and ended it at once.");
  }
  if (failed)
    co_return fail(Errc::protocol_violation,
                   authority(url) + " does not speak WebSocket: " + failed.message());
  co_return make_link(std::make_shared<LinkCore>(std::move(socket), options.link, nullptr));
}

asio::awaitable<Result<std::unique_ptr<transport::Link>>> attempt(Url url, std::optional<Fingerprint> pin,
                                                                  ConnectOptions options) {
  const TimePoint deadline = Clock::now() + options.timeout;
  auto endpoints = co_await resolve(url);
  if (!endpoints) co_return fail(endpoints.error());
  if (auto allowed = check_plain(url, *endpoints, options.plain); !allowed) co_return fail(allowed.error());
  auto reached = co_await reach(url, std::move(*endpoints), deadline);
  if (!reached) co_return fail(reached.error());
  if (url.scheme == Url::Scheme::ws) {
    ByteStream stream{std::move(*reached)};
    co_return co_await upgrade(std::move(stream), std::move(url), std::move(options));
  }
  auto context = client_context();
  if (!context) co_return fail(context.error());
  ByteStream stream{std::move(*reached), *context};
  if (auto secured = co_await secure(url, *stream.tls(), std::move(pin)); !secured)
    co_return fail(secured.error());
  co_return co_await upgrade(std::move(stream), std::move(url), std::move(options));
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<transport::Link>>> connect(std::string url, ConnectOptions options) {
  using namespace asio::experimental::awaitable_operators;
  auto parsed = parse_url(url);
  if (!parsed) co_return fail(parsed.error());
  std::optional<Fingerprint> pin;
  if (options.pin) {
    auto fingerprint = parse_fingerprint(*options.pin);
    if (!fingerprint) co_return fail(fingerprint.error());
    if (parsed->scheme == Url::Scheme::ws) {
      co_return fail(Errc::invalid_argument,
                     "A fingerprint is pinned, but " + url + " has no certificate: use wss://.");
    }
    pin = std::move(*fingerprint);
  }
  asio::steady_timer limit{co_await asio::this_coro::executor, options.timeout};
  Result<std::unique_ptr<transport::Link>> made =
      fail(Errc::timed_out, authority(*parsed) + " does not answer in time.");
  try {
    auto trying = attempt(*parsed, std::move(pin), std::move(options));
    auto first = co_await (std::move(trying) || limit.async_wait(asio::use_awaitable));
    if (first.index() == 0) made = std::move(std::get<0>(first));
  } catch (const asio::multiple_exceptions&) {  // cancelled: neither came to an end of its own
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return std::move(made);
}

}  // namespace sluice::websocket
