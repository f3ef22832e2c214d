#include "flow/backoff.hpp"

#include <chrono>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesItsBoundUpToTheCapAndBeginsAnewAfterAReset) {
  Backoff backoff{{.first = 1s, .longest = 5s}};
  EXPECT_EQ(backoff.next(0.5), 500ms);
  EXPECT_EQ(backoff.next(0.5), 1s);
  EXPECT_EQ(backoff.next(0.5), 2s);
  EXPECT_EQ(backoff.next(0.5), 2500ms);
  EXPECT_EQ(backoff.next(0.5), 2500ms);
  EXPECT_EQ(backoff.tries(), 5U);
  backoff.reset();
  EXPECT_EQ(backoff.next(0.5), 500ms);
  EXPECT_EQ(backoff.all_tries(), 6U);
}

TEST(Backoff, StaysWithinItsBoundWhateverTheRandomness) {
  EXPECT_TRUE(rc::check([](double random) {
    Backoff backoff{{.first = 100ms, .longest = 24h * 365 * 200}};
    for (int i = 0; i < 100; ++i) {
      const Duration bound = backoff.bound();
      const Duration wait = backoff.next(random);
      RC_ASSERT(wait >= 0s);
      RC_ASSERT(wait <= bound);
    }
  }));
  Backoff backoff;
  EXPECT_EQ(backoff.next(std::numeric_limits<double>::quiet_NaN()), 0s);
  EXPECT_EQ(backoff.next(7), 1s);
}

}  // namespace
}  // namespace sluice::flow
