#include "cli/interrupts.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(Interrupts, AreSeenUntilTheyAreForgotten) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Interrupts interrupts;
    EXPECT_FALSE(interrupts.came());
    ::kill(::getpid(), signal);
    EXPECT_TRUE(interrupts.came());
    EXPECT_TRUE(interrupts.came());
  }  // here a signal that was kept would end the test
  EXPECT_FALSE(Interrupts{}.came());
}

}  // namespace
}  // namespace sluice::cli
