#include "transport/websocket/client.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/field.hpp>

#include "core/client_limits.hpp"
#include "core/limits.hpp"
#include "transport/websocket/dial.hpp"
#include "transport/websocket/link.hpp"
#include "transport/websocket/received_bytes.hpp"

namespace sluice::websocket {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Ends the connection once far more has come over it than an answer to an upgrade may be. Beast reads such
/// an answer to its end, into buffers that grow with it, and offers no limit for them: so the socket is
/// looked at instead.
class FloodGuard {
 public:
  FloodGuard(asio::ip::tcp::socket& socket, bool& flooded)
      : socket_(socket), flooded_(flooded), timer_(socket.get_executor()) {}

  void watch() {
    timer_.expires_after(kLook);
    // A wait that has run out is no longer cancelled: its handler may come when this has gone.
    timer_.async_wait([this, alive = std::weak_ptr{alive_}](const error_code& stopped) {
      if (stopped || alive.expired()) return;
      if (received_bytes(socket_.native_handle()) <= limits::kUnreadAnswer.count()) return watch();
      flooded_ = true;
      error_code ignored;
      socket_.close(ignored);
    });
  }
  void stop() {
    alive_.reset();
    timer_.cancel();
  }

 private:
  /// What comes between two looks stays in bounds: the fastest loopback brings 5 MB.
  static constexpr auto kLook = std::chrono::milliseconds{2};

  asio::ip::tcp::socket& socket_;
  bool& flooded_;
  asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

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
  bool flooded = false;
  FloodGuard guard{socket.next_layer().tcp().socket(), flooded};
  guard.watch();
  auto [failed] = co_await socket.async_handshake(response, host, target, kAwait);
  guard.stop();
  if (flooded)
    co_return fail(Errc::limit_exceeded,
                   authority(url) + " answers without end instead of opening a WebSocket.");
  if (failed == beast::websocket::error::upgrade_declined) {
    co_return fail(Errc::refused, authority(url) + " answered " + std::to_string(response.result_int()) +
                                      ' ' + std::string{response.reason()} +
                                      " instead of opening a WebSocket." + hint_for(response.result_int()));
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
  DialOptions how{.pin = std::move(pin), .plain = options.plain, .timeout = options.timeout};
  auto trust = std::make_shared<Trust>();
  auto dialled = co_await dial(url, std::move(how), std::move(trust));
  if (!dialled) co_return fail(dialled.error());
  ByteStream stream = std::move(*dialled).into_byte_stream();
  co_return co_await upgrade(std::move(stream), std::move(url), std::move(options));
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<transport::Link>>> connect(std::string url, ConnectOptions options) {
  auto parsed = parse_url(url);
  if (!parsed) co_return fail(parsed.error());
  auto pin = check_pin(*parsed, options.pin);
  if (!pin) co_return fail(pin.error());
  const Duration limit = options.timeout;
  Error late{.code = Errc::timed_out, .message = authority(*parsed) + " does not answer in time."};
  auto trying = attempt(std::move(*parsed), std::move(*pin), std::move(options));
  co_return co_await within(limit, std::move(trying), std::move(late));
}

}  // namespace sluice::websocket
