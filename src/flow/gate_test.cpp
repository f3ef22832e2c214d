#include "flow/gate.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace literals;
using namespace std::chrono_literals;

constexpr TimePoint kStart{};

GateOptions small() {
  return {.marks = {.low = 10_B, .high = 100_B}, .stall_limit = 30s, .max_waiters = 4};
}

TEST(Gate, LetsOneThroughAtATimeInOrder) {
  Gate gate{small()};
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart).value();
  EXPECT_EQ(gate.next(kStart), a);
  EXPECT_EQ(gate.next(kStart), std::nullopt);  // a is inside
  gate.leave(a);
  EXPECT_EQ(gate.next(kStart), b);
}

TEST(Gate, NextWaiterLooksAgainAtWhatTheOneBeforeItAdded) {
  Gate gate{small()};
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart).value();
  ASSERT_EQ(gate.next(kStart), a);
  gate.add(100_B, kStart);
  gate.leave(a);
  EXPECT_EQ(gate.next(kStart), std::nullopt);
  gate.drain(90_B, kStart + 1s);
  EXPECT_EQ(gate.next(kStart + 1s), b);
}

TEST(Gate, CancelWithdrawsAWaiterWhereverItStands) {
  Gate gate{small()};
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart).value();
  const Ticket c = gate.enter(kStart).value();
  EXPECT_TRUE(gate.cancel(b, kStart));
  EXPECT_FALSE(gate.cancel(b, kStart));
  ASSERT_EQ(gate.next(kStart), a);
  EXPECT_TRUE(gate.cancel(a, kStart));  // inside: its turn is over
  EXPECT_EQ(gate.next(kStart), c);
  EXPECT_EQ(gate.stats(kStart).cancelled, 1U);
}

TEST(Gate, LeaveOfAnotherTicketIsIgnored) {
  Gate gate{small()};
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart).value();
  ASSERT_EQ(gate.next(kStart), a);
  gate.leave(b);
  EXPECT_EQ(gate.next(kStart), std::nullopt);
}

TEST(Gate, CloseEndsEveryWaitAndRefusesLaterOnesWithTheSameError) {
  Gate gate{small()};
  gate.add(100_B, kStart);
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart).value();
  EXPECT_EQ(gate.close({.code = Errc::link_lost, .message = "gone"}, kStart), (std::vector{a, b}));
  EXPECT_EQ(gate.enter(kStart).error().code, Errc::link_lost);
  gate.drain(100_B, kStart);
  EXPECT_FALSE(gate.is_open());
  EXPECT_EQ(gate.next(kStart), std::nullopt);
  EXPECT_TRUE(gate.close({.code = Errc::closed, .message = "again"}, kStart).empty());
  EXPECT_EQ(gate.closed()->code, Errc::link_lost);
  EXPECT_EQ(gate.stats(kStart).refused, 1U);
}

TEST(Gate, ReportsAStallForTheWaitsThatAreTooOldAndOnlyThem) {
  Gate gate{small()};
  gate.add(100_B, kStart);
  EXPECT_EQ(gate.next_deadline(), std::nullopt);
  const Ticket a = gate.enter(kStart).value();
  const Ticket b = gate.enter(kStart + 10s).value();
  EXPECT_EQ(gate.next_deadline(), kStart + 30s);
  EXPECT_TRUE(gate.expire(kStart + 29s).empty());
  EXPECT_EQ(gate.expire(kStart + 30s), std::vector{a});
  EXPECT_EQ(gate.next_deadline(), kStart + 40s);
  gate.drain(100_B, kStart + 31s);
  EXPECT_EQ(gate.next(kStart + 31s), b);
  const auto stats = gate.stats(kStart + 31s);
  EXPECT_EQ(stats.stalled, 1U);
  EXPECT_EQ(stats.longest_wait, 30s);
  EXPECT_EQ(stats.mark.time_closed, 31s);
  EXPECT_EQ(gate.stall_error().code, Errc::stalled);
}

TEST(Gate, RefusesMoreWaitersThanItsBound) {
  Gate gate{small()};
  gate.add(100_B, kStart);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(gate.enter(kStart));
  EXPECT_EQ(gate.enter(kStart).error().code, Errc::limit_exceeded);
  EXPECT_EQ(gate.stats(kStart).waiting, 4U);
}

/// Any script of events: order is kept, one is inside at a time, none passes a closed mark, and the overshoot
/// is at most the one message of whoever had passed.
TEST(Gate, KeepsOrderAndItsMarkWhateverHappens) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& script) {
    Gate gate{{.marks = {.low = 20_B, .high = 100_B}, .stall_limit = 50s, .max_waiters = 16}};
    std::deque<Ticket> line;
    std::optional<Ticket> inside;
    TimePoint now = kStart;
    for (const std::uint8_t step : script) {
      now += 1s;
      const Bytes amount{step % 60U};
      switch (step % 5) {
        case 0:
          if (const auto ticket = gate.enter(now)) line.push_back(*ticket);
          break;
        case 1:
          if (inside) {
            gate.add(amount, now);
            gate.leave(*inside);
            inside.reset();
          }
          break;
        case 2:
          gate.drain(std::min(amount, gate.stats(now).mark.now), now);
          break;
        case 3:
          if (!line.empty()) {
            const auto victim = line.begin() + step % static_cast<int>(line.size());
            RC_ASSERT(gate.cancel(*victim, now));
            line.erase(victim);
          }
          break;
        default:
          for (const Ticket late : gate.expire(now)) {
            RC_ASSERT(late == line.front());
            line.pop_front();
          }
      }
      if (const auto ticket = gate.next(now)) {
        RC_ASSERT(!inside);
        RC_ASSERT(gate.is_open());
        RC_ASSERT(*ticket == line.front());
        line.pop_front();
        inside = ticket;
      }
      RC_ASSERT(inside || line.empty() || !gate.is_open());  // nobody waits without a reason
      RC_ASSERT(gate.waiting() == line.size());
      RC_ASSERT(gate.stats(now).mark.peak < 100_B + 60_B);
    }
  }));
}

}  // namespace
}  // namespace sluice::flow
