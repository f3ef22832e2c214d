#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"

namespace sluice::tunnel {

/// How far a read or write of a socket came.
struct Transfer {
  enum class Status : std::uint8_t {
    ok,           ///< `count` bytes, at least one.
    would_block,  ///< Nothing now; the socket reports when there is.
    end,          ///< Reading only: the other side sends nothing more.
    reset,        ///< The other side broke the connection off.
    failed,       ///< Anything else the system had to say.
  };
  Status status = Status::would_block;
  std::size_t count = 0;
};

/// One application's socket as a stream sees it: a non-blocking byte pipe each way.
///
/// Owned by its stream. No call blocks, and none calls back into the session. A read that did not fill its
/// span, and a write that did not take all of its view, arm a report: once it is worth trying again the
/// socket's shell calls `Session::on_readable` or `Session::on_writable`, once for each arming. After `end`,
/// `reset` or `failed` there is nothing to report.
class Socket {
 public:
  virtual ~Socket() = default;  ///< Unless it was closed or reset before: as `reset`.

  virtual Transfer read_some(ByteSpan into) = 0;
  virtual Transfer write_some(ByteView from) = 0;

  /// Half-close: what was written still arrives, then the application reads the end.
  virtual void shutdown_send() = 0;
  /// Ends both directions in good order; what was written still arrives.
  virtual void close() = 0;
  /// Ends both directions so that the application sees that something went wrong (TCP RST).
  virtual void reset() = 0;
};

}  // namespace sluice::tunnel
