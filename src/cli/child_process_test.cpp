#include "cli/child_process.hpp"

#include <array>

#include <gtest/gtest.h>

#include "cli/interrupts.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

TEST(ChildProcess, GivesItsLinesAndItsExitStatus) {
  auto child = ChildProcess::start({"sh", "-c", "echo one; echo two; exit 3"});
  ASSERT_TRUE(child);
  EXPECT_EQ(child->read_line({.patience = 10s}), "one");
  EXPECT_EQ(child->read_line({.patience = 10s}), "two");
  EXPECT_EQ(child->read_line({.patience = 10s}).error().code, Errc::closed);
  const auto usage = child->wait({.patience = 10s});
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->exit_status, 3);
  EXPECT_GT(usage->peak_rss, Bytes{0});
}

TEST(ChildProcess, MissingProgramIsAnErrorNotAChild) {
  const auto child = ChildProcess::start({"/no/such/program"});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, Errc::not_found);
}

TEST(ChildProcess, StopEndsOneThatWouldNotEnd) {
  auto child = ChildProcess::start({"sh", "-c", "trap '' INT; echo ready; while :; do sleep 1; done"});
  ASSERT_TRUE(child);
  ASSERT_EQ(child->read_line({.patience = 10s}), "ready");
  EXPECT_EQ(child->read_line({.patience = 1ms}).error().code, Errc::timed_out);
  EXPECT_EQ(child->stop({.patience = 50ms}).exit_status, 128 + 9);
}

TEST(ChildProcess, TheFirstLineOfAProgramCountsWhenItEndsWell) {
  const ChildProcess::Waiting waiting{.patience = 10s};
  EXPECT_EQ(ChildProcess::first_line_of({"sh", "-c", "echo one; echo two"}, waiting), "one");
  EXPECT_EQ(ChildProcess::first_line_of({"sh", "-c", "echo one; exit 7"}, waiting).error().message,
            "'sh' failed with exit status 7");
  EXPECT_EQ(ChildProcess::first_line_of({"true"}, waiting).error().message, "'true' printed nothing");
}

TEST(ChildProcess, AProgramThatSaysNothingInTimeIsReportedAsSuch) {
  const auto line = ChildProcess::first_line_of({"sleep", "60"}, {.patience = 20ms});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, Errc::timed_out);
  EXPECT_EQ(describe(line.error()), "'sleep' was not done: no output in time");
}

TEST(ChildProcess, AnInterruptEndsEveryWait) {
  const Interrupts interrupts;
  const ChildProcess::Waiting waiting{.patience = 60s, .interrupts = &interrupts};
  auto child = ChildProcess::start({"sleep", "60"});
  ASSERT_TRUE(child);
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(child->read_line(waiting).error().code, Errc::cancelled);
  EXPECT_EQ(child->wait(waiting).error().code, Errc::cancelled);
  EXPECT_EQ(ChildProcess::first_line_of({"sleep", "60"}, waiting).error().code, Errc::cancelled);
}

TEST(ChildProcess, AProgramDoesNotInheritWhatInterruptsBlock) {
  const Interrupts interrupts;
  auto child = ChildProcess::start({"sh", "-c", "echo ready; exec sleep 60"});
  ASSERT_TRUE(child);
  ASSERT_EQ(child->read_line({.patience = 10s}), "ready");
  EXPECT_EQ(child->stop({.patience = 10s}).exit_status, 128 + SIGINT);
}

TEST(ChildProcess, OneThatSaysMoreThanAPipeHoldsGoesOnWhileItIsDrained) {
  auto talker = ChildProcess::start({"sh", "-c", "head -c 1000000 /dev/zero"});
  ASSERT_TRUE(talker);
  EXPECT_EQ(talker->wait({.patience = 50ms}).error().code, Errc::timed_out);
  const std::array drained = {&*talker};
  const auto usage = talker->wait({.patience = 10s, .drained = drained});
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->exit_status, 0);
}

}  // namespace
}  // namespace sluice::cli
