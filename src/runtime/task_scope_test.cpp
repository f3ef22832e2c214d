#include "runtime/task_scope.hpp"

#include <stdexcept>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

namespace sluice::runtime {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> sleep_for_ever(bool& ended) {
  struct AtEnd {
    bool& flag;
    ~AtEnd() { flag = true; }
  } at_end{ended};
  asio::steady_timer timer{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
  co_await timer.async_wait(asio::use_awaitable);
}

TEST(TaskScope, JoinReturnsOnlyAfterEveryCancelledTaskHasEnded) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  bool first = false;
  bool second = false;
  bool joined = false;
  scope.spawn(sleep_for_ever(first));
  scope.spawn(sleep_for_ever(second));
  asio::co_spawn(
      shard,
      [](TaskScope& tasks, bool& done) -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        tasks.cancel();
        co_await tasks.join();
        done = true;
      }(scope, joined),
      asio::detached);
  shard.run();
  EXPECT_TRUE(first && second && joined);
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, TaskSpawnedAfterCancelIsNotBegun) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  scope.cancel();
  bool ended = false;
  scope.spawn(sleep_for_ever(ended));
  shard.run();
  EXPECT_EQ(scope.size(), 0U);
  EXPECT_FALSE(ended);  // its first line never ran
}

TEST(TaskScope, TaskCancelledBeforeItsFirstTurnEnds) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  bool ended = false;
  scope.spawn(sleep_for_ever(ended));
  scope.cancel();
  shard.run();
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, OtherExceptionsLeaveThroughTheShard) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  scope.spawn([]() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    throw std::logic_error("broken");
  }());
  EXPECT_THROW(shard.run(), std::logic_error);
  EXPECT_EQ(scope.size(), 0U);
}

asio::awaitable<void> wait_once(WakeUp& wake_up, int& woken) {
  co_await wake_up.wait();
  ++woken;
}

TEST(WakeUp, RemembersARaiseUntilSomebodyWaits) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  WakeUp wake_up{shard.get_executor()};
  int woken = 0;
  wake_up.notify();
  wake_up.notify();
  scope.spawn(wait_once(wake_up, woken));
  shard.run();
  EXPECT_EQ(woken, 1);
  shard.restart();
  scope.spawn(wait_once(wake_up, woken));
  shard.poll();
  EXPECT_EQ(woken, 1);  // two raises before the first wait counted as one
  wake_up.notify();
  shard.run();
  EXPECT_EQ(woken, 2);
}

TEST(WakeUp, CancellationEndsTheWait) {
  asio::io_context shard;
  TaskScope scope{shard.get_executor()};
  WakeUp wake_up{shard.get_executor()};
  int woken = 0;
  scope.spawn(wait_once(wake_up, woken));
  shard.poll();
  scope.cancel();
  shard.run();
  EXPECT_EQ(woken, 0);
  EXPECT_EQ(scope.size(), 0U);
}

}  // namespace
}  // namespace sluice::runtime
