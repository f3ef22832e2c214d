#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "transport/websocket/client.hpp"
#include "transport/websocket/native_stream.hpp"
#include "transport/websocket/tls.hpp"
#include "transport/websocket/url.hpp"

/// For the room itself: how a client comes to a connection, before it says anything over it.
namespace sluice::websocket {

/// The roots that the system trusts, read when they are first needed: that takes longer than a handshake.
class Trust {
 public:
  [[nodiscard]] Result<asio::ssl::context*> context();

 private:
  std::optional<asio::ssl::context> context_;
};

struct DialOptions {
  std::optional<Fingerprint> pin{};
  PlainPolicy plain = PlainPolicy::loopback;
  Duration timeout{};                     ///< From the look-up to the open TCP connection.
  std::optional<Bytes> receive_buffer{};  ///< SO_RCVBUF; the system's own choice without it.
};

/// Name look-up, the host's addresses raced, TLS with a certificate that is trusted. Errors: as
/// `connect` has them. Cancellation: throws, or ends with an error.
asio::awaitable<Result<NativeStream>> dial(Url url, DialOptions options, std::shared_ptr<Trust> trust);

/// Waits for what a stream wants. False: in vain.
asio::awaitable<bool> ready(asio::ip::tcp::socket& socket, NativeStream::State wanted);

/// What a person may try after an answer of that status that is no WebSocket; a sentence with a space in
/// front, or nothing.
[[nodiscard]] std::string hint_for(unsigned status);

/// The pin that a user gave, if he did, brought into its form. Errors: `invalid_argument`.
[[nodiscard]] Result<std::optional<Fingerprint>> check_pin(const Url& url,
                                                           const std::optional<std::string>& pin);

/// An attempt that is given up after a while, with `late`. Cancellation: throws `operation_aborted`.
template <typename T>
asio::awaitable<Result<T>> within(Duration limit, asio::awaitable<Result<T>> attempt, Error late) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer{co_await asio::this_coro::executor, limit};
  std::optional<Result<T>> made;
  try {
    auto first = co_await (std::move(attempt) || timer.async_wait(asio::use_awaitable));
    if (first.index() == 0) made.emplace(std::move(std::get<0>(first)));
  } catch (const asio::multiple_exceptions&) {  // cancelled: neither came to an end of its own
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
  if (!made) co_return fail(std::move(late));
  co_return std::move(*made);
}

}  // namespace sluice::websocket
