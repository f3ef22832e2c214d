#include "runtime/timed_wake_up.hpp"

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "runtime/task_scope.hpp"

namespace sluice::runtime {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct Waiting {
  asio::io_context shard{1};
  TaskScope scope{shard.get_executor()};
  TimedWakeUp wake_up{shard.get_executor()};
  int woken = 0;

  void wait_until(TimePoint until) { scope.spawn(wait(until)); }
  asio::awaitable<void> wait(TimePoint until) {
    co_await wake_up.wait_until(until);
    ++woken;
  }
  void poll() {
    shard.restart();
    shard.poll();
  }
};

TEST(TimedWakeUp, WaitsForARaiseAndKeepsOneThatCameEarly) {
  Waiting waiting;
  waiting.wake_up.notify();
  waiting.wait_until(TimePoint::max());
  waiting.poll();
  EXPECT_EQ(waiting.woken, 1);
  waiting.wait_until(TimePoint::max());
  waiting.poll();
  EXPECT_EQ(waiting.woken, 1);  // one raise, one return
  waiting.wake_up.notify();
  waiting.poll();
  EXPECT_EQ(waiting.woken, 2);
}

TEST(TimedWakeUp, ReturnsWhenTheTimeHasCome) {
  Waiting waiting;
  waiting.wait_until(Clock::now() - 1s);
  waiting.shard.run_for(20s);
  EXPECT_EQ(waiting.woken, 1);
}

TEST(TimedWakeUp, CancellationThrowsOutOfTheWait) {
  Waiting waiting;
  waiting.wait_until(TimePoint::max());
  waiting.poll();
  waiting.scope.cancel();
  waiting.poll();
  EXPECT_EQ(waiting.woken, 0);
  EXPECT_EQ(waiting.scope.size(), 0U);
}

}  // namespace
}  // namespace sluice::runtime
