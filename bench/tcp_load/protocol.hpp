#pragma once

#include <cstddef>
#include <cstdint>

/// The load server does what a connection's first byte says. Integers are big-endian.
namespace sluice::tcp_load {

enum class Request : std::uint8_t {
  fetch = 'f',  ///< Then a u64: the server sends so many bytes and closes.
  push = 'p',   ///< The server reads to the end and answers with a u64: how many bytes came.
  echo = 'e',   ///< The server sends back what comes, until the end.
};

/// Bytes moved by one system call in bulk: beyond this their number no longer shows in the CPU time.
inline constexpr std::size_t kBlock = 256 * 1024;
/// Buffer of one echo connection: pings are 64 bytes, and thousands of connections are open at once.
inline constexpr std::size_t kEchoBlock = 1024;

}  // namespace sluice::tcp_load
