#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "transport/dialing/address.hpp"

namespace sluice::dialing {

/// Where a connection leads.
struct Destination {
  std::string host;  ///< A name or a numeric address.
  std::uint16_t port = 0;
};

struct ConnectOptions {
  Duration limit{};  ///< For all of it, look-up included.
  /// Asked about every address before any attempt at it; an error ends the whole.
  std::function<Status(const Address&)> allow{};
  std::optional<Bytes> receive_buffer{};  ///< SO_RCVBUF, set before TCP agrees on its window (RFC 7323 §2.2).
};

/// Why there is no connection.
struct ConnectFailure {
  enum class Why : std::uint8_t {
    not_found,       ///< The name has no address.
    refused,         ///< Nobody listens there.
    unreachable,     ///< No route, no socket of that family, no answer from a name server, ...
    timed_out,       ///< The limit has passed.
    no_descriptors,  ///< This process may open no more descriptors.
    not_allowed,     ///< `ConnectOptions::allow` said no.
    given_up,
  };
  Why why;
  std::string text;              ///< For a person, without the destination.
  std::optional<Error> error{};  ///< With `not_allowed`: what `allow` returned.
};

/// One TCP connection that comes about: the look-up, then attempts at the host's addresses, which race
/// (`Race`). What fails at once, a socket that cannot be opened above all, is that address's failure: the
/// next one is tried without a pause.
class Connect {
 public:
  explicit Connect(const boost::asio::any_io_executor& executor);
  Connect(const Connect&) = delete;
  Connect& operator=(const Connect&) = delete;
  ~Connect();

  /// Once only. When it returns or throws, no attempt holds a socket any more. Cancellation: throws
  /// `operation_aborted`.
  boost::asio::awaitable<std::expected<boost::asio::ip::tcp::socket, ConnectFailure>> run(
      Destination to, ConnectOptions options);
  /// Nobody wants the connection any more: `run` ends at once, now or when it is called.
  void give_up();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with the handlers of cancelled attempts.
};

}  // namespace sluice::dialing
