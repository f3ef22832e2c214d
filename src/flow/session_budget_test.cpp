#include "flow/session_budget.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::flow {
namespace {

using namespace literals;

TEST(SessionBudget, HasRoomForFiveThousandIdleSocketsAndRefusesBeyondItsCap) {
  SessionBudget budget;
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(budget.reserve(limits::kFirstWindow));
  EXPECT_GT(budget.grow({.held = 0_B, .wanted = 1_MiB}), 0_B);  // and the busy among them still grow
  while (budget.reserve(limits::kFirstWindow)) ASSERT_LT(budget.stats().windows, 10'000U);
  EXPECT_LE(budget.stats().promised, limits::kSessionWindows);
  EXPECT_EQ(budget.reserve(limits::kFirstWindow).error().code, Errc::limit_exceeded);
  EXPECT_EQ(budget.stats().refused, 2U);
}

TEST(SessionBudget, LendsOneWindowAllThatItMayHaveAndLeavesSomethingForANewcomer) {
  SessionBudget budget{{.windows = 96_MiB, .growth = 16_MiB}};
  EXPECT_EQ(budget.grow({.held = 0_B, .wanted = 4_MiB}), 4_MiB);
  EXPECT_EQ(budget.grow({.held = 4_MiB, .wanted = 100_MiB}), 4_MiB);  // 8 held, 8 left
  EXPECT_EQ(budget.grow({.held = 8_MiB, .wanted = 1_MiB}), 0_B);
  EXPECT_EQ(budget.grow({.held = 0_B, .wanted = 100_MiB}), 4_MiB);
  EXPECT_EQ(budget.stats().lent_short, 3U);
}

TEST(SessionBudget, AsksBackFromOneThatHoldsFarMoreThanIsLeft) {
  SessionBudget budget{{.windows = 96_MiB, .growth = 16_MiB}};
  ASSERT_EQ(budget.grow({.held = 0_B, .wanted = 8_MiB}), 8_MiB);
  EXPECT_EQ(budget.surplus(8_MiB), 0_B);  // as much is left
  ASSERT_EQ(budget.grow({.held = 0_B, .wanted = 5_MiB}), 4_MiB);
  ASSERT_EQ(budget.grow({.held = 0_B, .wanted = 1_MiB}), 1_MiB);
  const Bytes surplus = budget.surplus(8_MiB);  // 3 left
  EXPECT_EQ(surplus, 2_MiB / 3);
  budget.give_back_growth(surplus);
  EXPECT_EQ(budget.surplus(8_MiB - surplus), 0_B);
}

TEST(SessionBudget, PromisesNoMoreThanTheProcessHasMemoryFor) {
  const auto memory = std::make_shared<Pool>((32_MiB).count());
  SessionBudget busy{{.memory = memory}};
  EXPECT_EQ(busy.stats().memory, 0_B);
  ASSERT_TRUE(busy.reserve(limits::kFirstWindow));
  const Bytes growth = busy.grow({.held = 0_B, .wanted = 100_MiB});
  EXPECT_GT(growth, 4_MiB);
  SessionBudget other{{.memory = memory}};
  while (other.reserve(limits::kFirstWindow)) {
  }
  EXPECT_GT(other.stats().windows, 100U);
  while (busy.reserve(limits::kFirstWindow)) {
  }
  const Status rejected = busy.reserve(limits::kFirstWindow);
  ASSERT_FALSE(rejected);
  EXPECT_EQ(rejected.error().message, "no memory left for one more connection");
  EXPECT_EQ(busy.grow({.held = growth, .wanted = 1_MiB}), 0_B);
  EXPECT_GT(busy.surplus(growth), 0_B);  // and what it has too much of goes back as it moves bytes
  EXPECT_LE(busy.stats().memory + other.stats().memory, 32_MiB);
}

TEST(SessionBudget, ChargesOverheadAsItComesAndGoes) {
  const auto memory = std::make_shared<Pool>((16_MiB).count());
  SessionBudget budget{{.memory = memory}};
  const Bytes before = budget.stats().memory;
  EXPECT_TRUE(budget.set_overhead(kOwnOverhead + 1_MiB));
  EXPECT_EQ(budget.stats().memory, before + 1_MiB);
  EXPECT_EQ(budget.set_overhead(100_MiB).error().code, Errc::limit_exceeded);
  EXPECT_EQ(budget.stats().memory, before + 1_MiB);
  EXPECT_TRUE(budget.set_overhead(0_B));
  EXPECT_EQ(budget.stats().memory, before);
}

TEST(SessionBudget, HasItsOwnOverheadWhateverOthersHaveTaken) {
  const auto memory = std::make_shared<Pool>((1_MiB).count());
  SessionBudget budget{{.memory = memory}};
  Pool::Share other{memory};
  while (other.take(1024)) {
  }
  Pool::Share another{memory};
  while (another.take(1)) {
  }
  ASSERT_TRUE(budget.set_overhead(kOwnOverhead));
  EXPECT_EQ(budget.stats().memory, 0_B);
  EXPECT_EQ(budget.set_overhead(kOwnOverhead + 1_MiB).error().code, Errc::limit_exceeded);
  EXPECT_TRUE(budget.set_overhead(kOwnOverhead / 2));
  EXPECT_EQ(budget.stats().memory, 0_B);
}

TEST(SessionBudget, NeverPromisesMoreThanItsCapsAndForgetsNothing) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint16_t>& asks) {
    SessionBudget budget{{.windows = 300_KiB, .growth = 200_KiB}};
    std::vector<Bytes> growths;
    for (const std::uint16_t ask : asks) {
      if (ask % 3 == 0) {
        if (budget.reserve(16_KiB)) growths.push_back(0_B);
      } else if (!growths.empty() && ask % 3 == 1) {
        Bytes& held = growths[ask % growths.size()];
        held += budget.grow({.held = held, .wanted = Bytes{ask} * 4});
      } else if (!growths.empty()) {
        budget.give_back_growth(growths.back());
        budget.give_back_first(16_KiB);
        growths.pop_back();
      }
      RC_ASSERT(budget.stats().promised <= 300_KiB);
      RC_ASSERT(budget.stats().growth <= 200_KiB);
    }
    for (const Bytes held : growths) {
      budget.give_back_growth(held);
      budget.give_back_first(16_KiB);
    }
    RC_ASSERT(budget.stats().promised == 0_B);
    RC_ASSERT(budget.stats().windows == 0U);
  }));
}

}  // namespace
}  // namespace sluice::flow
