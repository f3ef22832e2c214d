#include "cli/child_process.hpp"

#include <array>

#include <gtest/gtest.h>

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
