#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/time.hpp"

namespace sluice::runtime {

/// A flag that one coroutine waits for until a point in time and others raise; a raise that nobody waits for
/// is kept. The waiter looks again at what it waited for.
///
/// One shard, one waiter at a time.
class TimedWakeUp {
 public:
  explicit TimedWakeUp(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void notify();

  /// Returns when the flag is up, and lowers it, or when the time has come. Cancellation: throws
  /// `operation_aborted`.
  boost::asio::awaitable<void> wait_until(TimePoint until);

 private:
  boost::asio::steady_timer timer_;
  bool raised_ = false;
};

}  // namespace sluice::runtime
