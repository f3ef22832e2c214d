#include "runtime/task_scope.hpp"

#include <exception>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "core/ensure.hpp"
#include "observe/log.hpp"

namespace sluice::runtime {

namespace asio = boost::asio;

struct TaskScope::Task {
  asio::cancellation_signal stop;
  bool started = false;
};

namespace {

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

TaskScope::TaskScope(asio::any_io_executor executor) : executor_(std::move(executor)), empty_(executor_) {}

TaskScope::~TaskScope() {
  ENSURE(tasks_.empty());
}

asio::awaitable<void> TaskScope::run(Task& place, asio::awaitable<void> task) {
  place.started = true;
  if (!cancelled_) co_await std::move(task);
}

void TaskScope::spawn(asio::awaitable<void> task) {
  const auto place = tasks_.emplace(tasks_.end());
  auto ended = [this, place](const std::exception_ptr& error) {
    tasks_.erase(place);
    if (tasks_.empty()) empty_.notify();
    if (!error) return;
    if (!is_cancellation(error)) std::rethrow_exception(error);
    // Asio has the same error for a descriptor that is closed, or was never open, as for a cancelled
    // operation.
    if (!cancelled_)
      observe::log(observe::LogLevel::error, "runtime", "a task ended that nobody had cancelled");
  };
  asio::co_spawn(executor_, run(*place, std::move(task)),
                 asio::bind_cancellation_slot(place->stop.slot(), std::move(ended)));
}

void TaskScope::cancel() {
  cancelled_ = true;
  // A task may end, and erase itself, inside emit(): step to the next one first.
  for (auto next = tasks_.begin(); next != tasks_.end();) {
    Task& task = *next++;
    // co_spawn never completes when it is cancelled before its first turn; run() looks at cancelled_ then.
    if (task.started) task.stop.emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<void> TaskScope::join() {
  while (!tasks_.empty()) co_await empty_.wait();
}

}  // namespace sluice::runtime
