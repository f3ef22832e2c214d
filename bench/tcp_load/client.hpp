#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace sluice::tcp_load {

/// What a client does; each prints one JSON object when it is done, and throws when anything goes wrong.
/// `port` is on loopback and leads, directly or through a tunnel, to a Server.

struct Bulk {
  std::uint16_t port = 0;
  std::uint64_t bytes = 0;  ///< Over all streams.
  std::size_t streams = 1;
};
/// {"event":"done","bytes":N,"seconds":S}: from the first request to the last byte, connecting excluded.
boost::asio::awaitable<void> fetch(Bulk load);
boost::asio::awaitable<void> push(Bulk load);

struct Ping {
  std::uint16_t port = 0;
  std::size_t count = 0;  ///< After a tenth as many that are not counted.
};
/// {"event":"done","count":N,"p50_us":..,"p99_us":..,"max_us":..} of 64 bytes there and back, one at a time.
boost::asio::awaitable<void> ping(Ping load);

struct Connect {
  std::uint16_t port = 0;
  std::size_t count = 0;
  std::size_t in_flight = 1;
};
/// {"event":"done","count":N,"seconds":S}: each connection is opened, has one echo, and is closed to the end.
boost::asio::awaitable<void> connect(Connect load);

struct Hold {
  std::uint16_t port = 0;
  std::size_t count = 0;
};
/// {"event":"open","count":N} once each connection has had one echo; then keeps them open until it is
/// cancelled.
boost::asio::awaitable<void> hold(Hold load);

}  // namespace sluice::tcp_load
