#pragma once

#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace sluice::runtime {

/// A flag that one coroutine waits for and others raise: what happened while nobody waited is not lost, and
/// several raises before a wait count as one. The waiter looks again at what it waited for.
///
/// One shard, one waiter at a time. Costs no allocation while nobody waits.
class WakeUp {
 public:
  explicit WakeUp(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  ~WakeUp();  ///< Nobody may be waiting.

  /// Raises the flag; a waiter goes on in a turn of its own, not inside this call.
  void notify();

  /// Returns once the flag is up, and lowers it. Cancellation: throws `operation_aborted`, as any Asio
  /// operation in a coroutine does; the flag stays as it is.
  boost::asio::awaitable<void> wait();

 private:
  void complete(boost::system::error_code error);

  boost::asio::any_io_executor executor_;
  bool raised_ = false;
  boost::asio::any_completion_handler<void(boost::system::error_code)> waiter_;
};

}  // namespace sluice::runtime
