#pragma once

#include <cstddef>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "runtime/wake_up.hpp"

namespace sluice::runtime {

/// Owns coroutines: each one that is spawned here is ended and joined here, none outlives the scope.
///
/// One shard. A task that ends with `operation_aborted` after `cancel` has ended well; any other exception
/// leaves through the shard's `run` and so ends the process: tasks turn what can fail into Results.
class TaskScope {
 public:
  explicit TaskScope(boost::asio::any_io_executor executor);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();  ///< Every task must have ended: cancel, then join, before this.

  /// Starts a task at the shard's next turn. After `cancel` it is not begun at all.
  void spawn(boost::asio::awaitable<void> task);

  /// Asks every task to end: its pending operation completes with `operation_aborted`.
  void cancel();

  /// Waits until no task is left. Not to be called by a task of this scope.
  boost::asio::awaitable<void> join();

  [[nodiscard]] std::size_t size() const { return tasks_.size(); }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Task;
  boost::asio::awaitable<void> run(Task& place, boost::asio::awaitable<void> task);

  boost::asio::any_io_executor executor_;
  std::list<Task> tasks_;
  bool cancelled_ = false;
  WakeUp empty_;
};

}  // namespace sluice::runtime
