#pragma once

#include <cerrno>
#include <cstddef>
#include <memory>
#include <sys/types.h>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include "core/time.hpp"
#include "peer/tunnel/socket.hpp"
#include "wire/tunnel/ids.hpp"

namespace sluice::tunnel {

/// Whom a socket of the shell tells that trying again makes sense; from the shard's loop, never from inside a
/// call.
class SocketListener {
 public:
  virtual ~SocketListener() = default;
  virtual void on_readable(wire::SocketId socket, TimePoint now) = 0;
  virtual void on_writable(wire::SocketId socket, TimePoint now) = 0;
};

/// Which socket it is, and whom to tell; the listener outlives the socket.
struct Report {
  SocketListener& listener;
  wire::SocketId name;
};

/// The outcome of a non-blocking read or write, `count` as the system call returned it.
[[nodiscard]] inline Transfer transfer_of(ssize_t count) {
  if (count > 0) return {.status = Transfer::Status::ok, .count = static_cast<std::size_t>(count)};
  if (count == 0 || errno == EAGAIN || errno == EINTR) return {.status = Transfer::Status::would_block};
  return {.status =
              errno == ECONNRESET || errno == EPIPE ? Transfer::Status::reset : Transfer::Status::failed};
}
[[nodiscard]] inline bool may_go_on(const Transfer& moved) {
  return moved.status == Transfer::Status::ok || moved.status == Transfer::Status::would_block;
}

/// Waits for an Asio object (a TCP socket, a descriptor) to become readable or writable, once each at a time,
/// and tells the session. Shared with the handlers under way, so that a socket may be destroyed while they
/// are.
template <typename Waitable>
struct DescriptorWaits : std::enable_shared_from_this<DescriptorWaits<Waitable>> {
  DescriptorWaits(Waitable object, Report report)
      : waitable(std::move(object)), listener(&report.listener), name(report.name) {}

  void wait_readable() {
    if (std::exchange(reading, true)) return;
    waitable.async_wait(Waitable::wait_read, [self = this->shared_from_this()](const auto& error) {
      self->reading = false;
      if (ready(error) && self->listener != nullptr) self->listener->on_readable(self->name, Clock::now());
    });
  }
  void wait_writable() {
    if (std::exchange(writing, true)) return;
    waitable.async_wait(Waitable::wait_write, [self = this->shared_from_this()](const auto& error) {
      self->writing = false;
      if (ready(error) && self->listener != nullptr) self->listener->on_writable(self->name, Clock::now());
    });
  }

  /// Regular files cannot be waited for (epoll_ctl(2), EPERM), and need not be: they are always ready.
  static bool ready(const boost::system::error_code& error) {
    return !error || error == boost::asio::error::operation_not_supported;
  }

  Waitable waitable;
  SocketListener* listener;  ///< Null once the socket is gone.
  wire::SocketId name;
  bool reading = false;
  bool writing = false;
};

/// What a system call that moved `count` of `asked` bytes comes to (negative: errno says why); arms a report
/// unless all was moved.
template <typename Waits>
Transfer finish_read(Waits& waits, ssize_t count, std::size_t asked) {
  if (count == 0) return {.status = Transfer::Status::end};
  const Transfer moved = transfer_of(count);
  if (moved.count < asked && may_go_on(moved)) waits.wait_readable();
  return moved;
}
template <typename Waits>
Transfer finish_write(Waits& waits, ssize_t count, std::size_t asked) {
  const Transfer moved = transfer_of(count);
  if (moved.count < asked && may_go_on(moved)) waits.wait_writable();
  return moved;
}

}  // namespace sluice::tunnel
