#include "flow/credit_window.hpp"

#include <chrono>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace literals;
using namespace std::chrono_literals;

constexpr TimePoint kStart{};

ReceiveWindow open_window(SessionBudget& budget, ReceiveWindowOptions options = {}) {
  return std::move(ReceiveWindow::open(budget, options, kStart).value());
}

// --- the two ends, each alone ---------------------------------------------------------------------------

TEST(SendWindow, MaySendTheFirstWindowAndThenWhatTheTotalAllows) {
  SendWindow window{16_KiB};
  EXPECT_EQ(window.available(), 16_KiB);
  window.spend(16_KiB, kStart);
  EXPECT_EQ(window.available(), 0_B);
  ASSERT_TRUE(window.on_window(53'248, kStart + 2s));  // the example of docs/wire/tunnel.md
  EXPECT_EQ(window.available(), Bytes{69'632} - 16_KiB);
  EXPECT_EQ(window.stats(kStart + 9s).times_out, 1U);
  EXPECT_EQ(window.stats(kStart + 9s).time_out, 2s);
}

TEST(SendWindow, IgnoresATotalThatAnotherHasOvertaken) {
  SendWindow window{1_KiB};
  ASSERT_TRUE(window.on_window(500, kStart));
  ASSERT_TRUE(window.on_window(100, kStart));
  ASSERT_TRUE(window.on_window(500, kStart));
  EXPECT_EQ(window.available(), 1_KiB + 500_B);
  EXPECT_EQ(window.stats(kStart).stale, 2U);
}

TEST(SendWindow, RefusesAPromiseBeyondAnyWindow) {
  SendWindow window{1_KiB};
  const std::uint64_t most = (std::uint64_t{1} << 30) - 1024;
  for (const std::uint64_t total : {most + 1, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_EQ(window.on_window(total, kStart).error().code, Errc::protocol_violation);
  }
  EXPECT_EQ(window.available(), 1_KiB);
  ASSERT_TRUE(window.on_window(most, kStart));
  EXPECT_EQ(window.available(), limits::kMaxWindow);
}

TEST(ReceiveWindow, HoldsThePeerToWhatItWasPromised) {
  SessionBudget budget;
  auto window = open_window(budget);
  ASSERT_TRUE(window.receive(16_KiB, kStart));
  EXPECT_EQ(window.receive(1_B, kStart).error().code, Errc::protocol_violation);
  window.consume(16_KiB);
  EXPECT_FALSE(window.receive(1_B, kStart));  // consumed, but not announced
  const Bytes total{window.update(kStart + 10s, 1ms)};
  EXPECT_EQ(total, 16_KiB);  // 10 s for half a window: no growth
  EXPECT_TRUE(window.receive(16_KiB, kStart + 10s));
  EXPECT_FALSE(window.receive(1_B, kStart + 10s));
}

TEST(ReceiveWindow, AnnouncesAfterAQuarter) {
  SessionBudget budget;
  auto window = open_window(budget);
  ASSERT_TRUE(window.receive(16_KiB, kStart));
  EXPECT_FALSE(window.consume(4_KiB - 1_B));
  EXPECT_TRUE(window.consume(1_B));
  EXPECT_EQ(window.update(kStart, 1ms), 4096U);
  EXPECT_FALSE(window.update_due());
}

TEST(ReceiveWindow, AnnouncesNothingBeforeAnythingWasConsumedEvenFromATinyWindow) {
  SessionBudget budget;
  auto window = open_window(budget, {.first = 1_B, .largest = 1_B});
  EXPECT_FALSE(window.update_due());
  ASSERT_TRUE(window.receive(1_B, kStart));
  EXPECT_FALSE(window.update_due());
  EXPECT_TRUE(window.consume(1_B));
}

TEST(ReceiveWindow, GivesItsBudgetBackAtItsEndAndOnlyOnce) {
  SessionBudget budget;
  {
    auto window = open_window(budget);
    ASSERT_TRUE(window.receive(16_KiB, kStart));
    window.consume(16_KiB);
    (void)window.update(kStart, 50ms);
    const auto moved = std::move(window);
    EXPECT_EQ(moved.window(), 64_KiB);
    EXPECT_EQ(budget.stats().promised, 64_KiB);
  }
  EXPECT_EQ(budget.stats().promised, 0_B);
  EXPECT_EQ(budget.stats().windows, 0U);
}

TEST(ReceiveWindow, IsRefusedWhenTheSessionHasNoFirstWindowLeft) {
  SessionBudget budget{{.windows = 20_KiB, .growth = 0_B}};
  const auto first = open_window(budget);
  EXPECT_EQ(ReceiveWindow::open(budget, {}, kStart).error().code, Errc::limit_exceeded);
}

// --- both ends, a path between them, simulated time -----------------------------------------------------

struct PathOptions {
  Duration round_trip = 50ms;
  std::uint64_t network = 100'000'000;   ///< Bytes a second that the path takes.
  std::uint64_t consumer = 100'000'000;  ///< Bytes a second that the far socket takes.
};

/// One direction of a stream over a path of its own; the sender always has something to send.
class SimulatedStream {
 public:
  SimulatedStream(SessionBudget& budget, PathOptions path, ReceiveWindowOptions options = {})
      : path_(path), sender_(options.first), receiver_(open_window(budget, options)) {}

  void run(Duration time) {
    constexpr Duration kStep = 100us;
    for (const TimePoint end = now_ + time; now_ < end; now_ += kStep) {
      const auto per_step = [&](std::uint64_t per_second) {
        return Bytes{per_second * kStep.count() / 1'000'000'000};
      };
      if (const Bytes sent = std::min(sender_.available(), per_step(path_.network)); sent > 0_B) {
        sender_.spend(sent, now_);
        data_.push_back({now_ + path_.round_trip / 2, sent});
      }
      for (; !data_.empty() && data_.front().at <= now_; data_.pop_front()) {
        ASSERT_TRUE(receiver_.receive(data_.front().bytes, now_));
      }
      const Bytes taken = std::min(receiver_.held(), per_step(path_.consumer));
      if (taken > 0_B && receiver_.consume(taken)) {
        updates_.push_back({now_ + path_.round_trip / 2, Bytes{receiver_.update(now_, path_.round_trip)}});
      }
      for (; !updates_.empty() && updates_.front().at <= now_; updates_.pop_front()) {
        ASSERT_TRUE(sender_.on_window(updates_.front().bytes.count(), now_));
      }
    }
  }

  [[nodiscard]] ReceiveWindowStats receiver() const { return receiver_.stats(); }
  [[nodiscard]] Bytes consumed() const { return receiver_.stats().consumed; }

 private:
  struct OnTheWay {
    TimePoint at;
    Bytes bytes;
  };
  PathOptions path_;
  SendWindow sender_;
  ReceiveWindow receiver_;
  TimePoint now_ = kStart;
  std::deque<OnTheWay> data_;
  std::deque<OnTheWay> updates_;
};

TEST(CreditWindow, GrowsToFillThePathAndThenStops) {
  SessionBudget budget;
  SimulatedStream stream{budget, {.round_trip = 50ms, .network = 20'000'000}};  // bandwidth x delay: 1 MB
  stream.run(1s);
  const Bytes before = stream.consumed();
  stream.run(1s);
  EXPECT_GE((stream.consumed() - before).count(), 19'000'000U);
  EXPECT_GE(stream.receiver().window, 1_MiB);
  EXPECT_LE(stream.receiver().window, 4_MiB);
}

TEST(CreditWindow, ReachesTheSpeedOfAFastPathWithinTenRoundTrips) {
  SessionBudget budget;
  SimulatedStream stream{budget, {.round_trip = 50ms, .network = 36'000'000}};
  stream.run(500ms);
  const Bytes before = stream.consumed();
  stream.run(100ms);
  EXPECT_GE((stream.consumed() - before).count(), 3'400'000U);
}

TEST(CreditWindow, FillsALocalPathToo) {
  SessionBudget budget;
  SimulatedStream stream{budget, {.round_trip = 400us, .network = 400'000'000, .consumer = 400'000'000}};
  stream.run(100ms);
  const Bytes before = stream.consumed();
  stream.run(100ms);
  EXPECT_GE((stream.consumed() - before).count(), 39'000'000U);
}

TEST(CreditWindow, StaysSmallForASlowConsumer) {
  SessionBudget budget;
  SimulatedStream stream{budget, {.round_trip = 1ms, .network = 200'000'000, .consumer = 1'000'000}};
  stream.run(5s);
  EXPECT_EQ(stream.receiver().window, limits::kFirstWindow);
  EXPECT_GE(stream.consumed().count(), 4'900'000U);  // and it is never without work
}

TEST(CreditWindow, HoldsNoMoreThanOneWindowForAStalledConsumer) {
  SessionBudget budget;
  SimulatedStream stream{budget, {.consumer = 0}};
  stream.run(2s);
  EXPECT_EQ(stream.receiver().received, limits::kFirstWindow);
  EXPECT_EQ(stream.receiver().peak_held, limits::kFirstWindow);
}

TEST(CreditWindow, GrowsForABurstAfterSilence) {
  SessionBudget budget;
  auto window = open_window(budget);
  // A reply of 12 KiB every ten seconds: measured from the start of each, not over the silence.
  for (int i = 0; i < 3; ++i) {
    const TimePoint now = kStart + 10s * (i + 1);
    ASSERT_TRUE(window.receive(12_KiB, now));
    if (window.consume(12_KiB)) (void)window.update(now + 1ms, 50ms);
  }
  EXPECT_EQ(window.window(), 64_KiB);
}

TEST(CreditWindow, NeverDeadlocksHoweverSmallTheWindow) {
  for (std::uint64_t first = 1; first <= 9; ++first) {
    SessionBudget budget{{.windows = 100_B, .growth = 0_B}};
    SimulatedStream stream{budget, {.round_trip = 1ms}, {.first = Bytes{first}, .largest = Bytes{first}}};
    stream.run(1s);
    EXPECT_GE(stream.consumed().count(), 400 * first) << first;
  }
}

TEST(CreditWindow, ManyStreamsTogetherStayUnderTheSessionCapAndNoneIsLeftWithoutGrowth) {
  SessionBudget budget;
  std::vector<std::unique_ptr<SimulatedStream>> streams;
  for (int i = 0; i < 12; ++i) {
    streams.push_back(std::make_unique<SimulatedStream>(budget, PathOptions{.round_trip = 100ms}));
  }
  // The first three have all they want before the others begin.
  for (int i = 0; i < 3; ++i) streams[static_cast<std::size_t>(i)]->run(2s);
  EXPECT_EQ(streams[0]->receiver().window, 4_MiB);
  for (int round = 0; round < 40; ++round) {
    for (const auto& stream : streams) stream->run(100ms);
  }
  Bytes sum;
  for (const auto& stream : streams) {
    sum += stream->receiver().window;
    EXPECT_GE(stream->receiver().window, 512_KiB);  // an even share of the pool is 1.2 MiB
  }
  EXPECT_EQ(sum, budget.stats().promised);
  EXPECT_LE(budget.stats().growth, limits::kSessionGrowth);
  EXPECT_GT(streams[0]->receiver().shrunk, 0U);
}

/// Any order of announcements, any cut of the data: the sender never passes what the receiver allows, and
/// what was announced is never taken back.
TEST(CreditWindow, SenderAndReceiverAgreeWhateverTheOrderOfAnnouncements) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& script) {
    SessionBudget budget{{.windows = 64_KiB, .growth = 40_KiB}};
    const ReceiveWindowOptions options{.first = 1_KiB, .largest = 32_KiB};
    auto receiver = open_window(budget, options);
    auto rival = open_window(budget, options);
    SendWindow sender{options.first};
    std::vector<std::uint64_t> announced;
    std::uint64_t largest = 0;
    TimePoint now = kStart;
    for (const std::uint16_t step : script) {
      now += std::chrono::microseconds{step};
      const Bytes amount{step / 4U};
      if (step % 4 == 0) {
        const Bytes sent = std::min(sender.available(), amount);
        sender.spend(sent, now);
        RC_ASSERT(receiver.receive(sent, now).has_value());
      } else if (step % 4 == 1) {
        if (receiver.consume(std::min(receiver.held(), amount))) {
          announced.push_back(receiver.update(now, 1ms));
          RC_ASSERT(announced.back() >= largest);
          largest = announced.back();
        }
      } else if (step % 4 == 2 && !announced.empty()) {
        const auto any = announced.begin() + step % static_cast<int>(announced.size());
        RC_ASSERT(sender.on_window(*any, now).has_value());
      } else {  // another window takes part of the budget
        (void)rival.receive(std::min(amount, 256_B), now);
        if (rival.consume(rival.held())) (void)rival.update(now, 1s);
      }
      RC_ASSERT(budget.stats().promised == receiver.window() + rival.window());
      RC_ASSERT(receiver.held() <= options.largest);
    }
  }));
}

}  // namespace
}  // namespace sluice::flow
