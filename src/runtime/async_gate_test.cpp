#include "runtime/async_gate.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "runtime/task_scope.hpp"

namespace sluice::runtime {
namespace {

namespace asio = boost::asio;
using namespace literals;
using namespace std::chrono_literals;

/// A link of one number: writers add to what it holds, the test drains it.
struct Bench {
  explicit Bench(Duration stall_limit = 1h, std::size_t max_waiters = 100)
      : gate(
            shard.get_executor(),
            {.marks = {.low = 10_B, .high = 100_B}, .stall_limit = stall_limit, .max_waiters = max_waiters}) {
  }

  void hold(Bytes bytes) {
    held = bytes;
    gate.set(held);
  }
  /// Runs what is ready, nothing that needs time to pass.
  void settle() {
    shard.restart();
    shard.poll();
  }
  asio::awaitable<void> write(std::string name, Bytes size) {
    auto pass = co_await gate.pass();
    if (!pass) {
      events.push_back(name + " " + std::string{name_of(pass.error().code)});
      co_return;
    }
    held += size;
    gate.set(held);
    events.push_back(name);
  }

  asio::io_context shard;
  AsyncGate gate;
  Bytes held;
  std::vector<std::string> events;
};

using Events = std::vector<std::string>;

TEST(AsyncGate, OpenGateLetsThroughWithoutAWait) {
  Bench bench;
  TaskScope scope{bench.shard.get_executor()};
  scope.spawn(bench.write("a", 1_B));
  bench.settle();
  EXPECT_EQ(bench.events, Events{"a"});
  EXPECT_EQ(bench.gate.stats().passed, 1U);
}

TEST(AsyncGate, LetsWritersThroughInOrderUntilTheMarkClosesAgain) {
  Bench bench;
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  for (const char* name : {"a", "b", "c"}) scope.spawn(bench.write(name, 60_B));
  bench.settle();
  EXPECT_EQ(bench.events, Events{});

  bench.hold(10_B);  // opens; the second writer reaches the high mark, the third must look again and stay
  bench.settle();
  EXPECT_EQ(bench.events, (Events{"a", "b"}));

  bench.hold(0_B);
  bench.settle();
  EXPECT_EQ(bench.events, (Events{"a", "b", "c"}));
  EXPECT_EQ(scope.size(), 0U);
}

TEST(AsyncGate, HoldsTheNextBackWhileOneIsInside) {
  Bench bench;
  TaskScope scope{bench.shard.get_executor()};
  std::optional<AsyncGate::Pass> kept;
  const auto keep = [](AsyncGate& gate, std::optional<AsyncGate::Pass>& out) -> asio::awaitable<void> {
    auto pass = co_await gate.pass();
    out.emplace(std::move(pass.value()));
  };
  scope.spawn(keep(bench.gate, kept));
  scope.spawn(bench.write("b", 1_B));
  bench.settle();
  EXPECT_TRUE(kept);
  EXPECT_EQ(bench.events, Events{});
  kept->done();
  bench.settle();
  EXPECT_EQ(bench.events, Events{"b"});
}

TEST(AsyncGate, CancelledWaiterInTheMiddleLeavesTheOthersInOrder) {
  Bench bench;
  TaskScope others{bench.shard.get_executor()};
  TaskScope middle{bench.shard.get_executor()};
  bench.hold(100_B);
  others.spawn(bench.write("a", 1_B));
  bench.settle();
  middle.spawn(bench.write("b", 1_B));
  bench.settle();
  others.spawn(bench.write("c", 1_B));
  bench.settle();

  middle.cancel();
  bench.settle();
  EXPECT_EQ(middle.size(), 0U);
  EXPECT_EQ(bench.gate.stats().cancelled, 1U);
  EXPECT_EQ(bench.gate.stats().waiting, 2U);

  bench.hold(0_B);
  bench.settle();
  EXPECT_EQ(bench.events, (Events{"a", "c"}));
}

TEST(AsyncGate, CancelledAfterItsTurnHasComeGivesTheTurnOn) {
  Bench bench;
  TaskScope first{bench.shard.get_executor()};
  TaskScope second{bench.shard.get_executor()};
  bench.hold(100_B);
  // It is cancelled between its turn and its next step, so it ends at its next wait, the pass in its hands.
  const auto hesitate = [](Bench& b) -> asio::awaitable<void> {
    auto pass = co_await b.gate.pass();
    co_await asio::post(b.shard, asio::use_awaitable);
    b.events.push_back("first wrote");
  };
  first.spawn(hesitate(bench));
  bench.settle();
  second.spawn(bench.write("second", 1_B));
  bench.settle();

  bench.gate.set(0_B);
  first.cancel();
  bench.settle();
  EXPECT_EQ(first.size(), 0U);
  EXPECT_EQ(bench.events, Events{"second"});
}

TEST(AsyncGate, CloseEndsEveryWaitWithItsErrorAndRefusesLaterOnes) {
  Bench bench;
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  scope.spawn(bench.write("a", 1_B));
  scope.spawn(bench.write("b", 1_B));
  bench.settle();
  bench.gate.close({.code = Errc::link_lost, .message = "the peer is gone"});
  bench.settle();
  scope.spawn(bench.write("c", 1_B));
  bench.settle();
  EXPECT_EQ(bench.events, (Events{"a link_lost", "b link_lost", "c link_lost"}));
}

TEST(AsyncGate, CloseReachesAWriterWhoseTurnHasJustCome) {
  Bench bench;
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  scope.spawn(bench.write("a", 1_B));
  bench.settle();
  bench.gate.set(0_B);
  bench.gate.close({.code = Errc::closed, .message = "over"});
  bench.settle();
  EXPECT_EQ(bench.events, Events{"a closed"});
}

TEST(AsyncGate, ReportsAStallWhenTheLinkTakesNothingForTheLimit) {
  Bench bench{20ms};
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  scope.spawn(bench.write("a", 1_B));
  scope.spawn(bench.write("b", 1_B));
  bench.shard.restart();
  bench.shard.run();  // until nothing is left to wait for: the timer as well
  EXPECT_EQ(bench.events, (Events{"a stalled", "b stalled"}));
  EXPECT_EQ(bench.gate.stats().stalled, 2U);
}

TEST(AsyncGate, KeepsNoTimerOnceNobodyWaits) {
  Bench bench{1h};
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  scope.spawn(bench.write("a", 1_B));
  bench.settle();
  bench.hold(0_B);
  bench.shard.restart();
  bench.shard.run();  // would take an hour with the timer left armed
  EXPECT_EQ(bench.events, Events{"a"});
}

TEST(AsyncGate, RefusesMoreWaitersThanItsBound) {
  Bench bench{1h, 1};
  TaskScope scope{bench.shard.get_executor()};
  bench.hold(100_B);
  scope.spawn(bench.write("a", 1_B));
  bench.settle();
  scope.spawn(bench.write("b", 1_B));
  bench.settle();
  EXPECT_EQ(bench.events, Events{"b limit_exceeded"});
  scope.cancel();
  bench.settle();
}

}  // namespace
}  // namespace sluice::runtime
