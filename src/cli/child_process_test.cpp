#include "cli/child_process.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

TEST(ChildProcess, GivesItsLinesAndItsExitStatus) {
  auto child = ChildProcess::start({"sh", "-c", "echo one; echo two; exit 3"});
  ASSERT_TRUE(child);
  EXPECT_EQ(child->read_line(10s), "one");
  EXPECT_EQ(child->read_line(10s), "two");
  EXPECT_EQ(child->read_line(10s).error().code, Errc::closed);
  const auto usage = child->wait(10s);
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
  ASSERT_EQ(child->read_line(10s), "ready");
  EXPECT_EQ(child->read_line(1ms).error().code, Errc::timed_out);
  EXPECT_EQ(child->stop(50ms).exit_status, 128 + 9);
}

}  // namespace
}  // namespace sluice::cli
