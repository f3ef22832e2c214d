#include "hub/mailbox_numbers.hpp"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;

Random always(std::uint32_t choice) {
  return [choice](std::uint32_t bound) { return choice % bound; };
}

TEST(MailboxNumbers, AreShortWhileFewAreInUse) {
  MailboxNumbers numbers{{.time = 1min, .max_resting = 100}, always(6)};
  std::set<MailboxNumber> taken;
  for (int i = 0; i < 5; ++i) taken.insert(numbers.take({}));
  EXPECT_EQ(taken.size(), 5U);  // even from a source that always says the same
  EXPECT_GE(*taken.begin(), 1U);
  EXPECT_LE(*taken.rbegin(), 9U);
  EXPECT_LE(numbers.take({}), 99U);
}

TEST(MailboxNumbers, RestBeforeTheyAreGivenOutAgain) {
  MailboxNumbers numbers{{.time = 30min, .max_resting = 100}, always(0)};
  const TimePoint start{};
  EXPECT_EQ(numbers.take(start), 1U);
  numbers.give_back(1, NumberEnd::burnt, start);
  EXPECT_EQ(numbers.ended(1), NumberEnd::burnt);
  EXPECT_NE(numbers.take(start + 29min), 1U);
  EXPECT_EQ(numbers.take(start + 30min), 1U);
  EXPECT_EQ(numbers.ended(1), std::nullopt);
}

TEST(MailboxNumbers, AreUniqueAndBoundedWhateverHappens) {
  const auto holds = rc::check("unique, none resting is given out, bounded", [] {
    const auto choices = *rc::gen::nonEmpty(rc::gen::arbitrary<std::vector<std::uint16_t>>());
    std::size_t turn = 0;
    MailboxNumbers numbers{{.time = 100s, .max_resting = 20},
                           [&](std::uint32_t bound) { return choices[turn++ % choices.size()] % bound; }};
    std::vector<MailboxNumber> held;
    TimePoint now{};
    for (const bool take : *rc::gen::arbitrary<std::vector<bool>>()) {
      now += 7s;
      if (take || held.empty()) {
        const MailboxNumber number = numbers.take(now);
        RC_ASSERT(number >= 1U);
        RC_ASSERT(std::ranges::count(held, number) == 0);
        RC_ASSERT(!numbers.ended(number));
        held.push_back(number);
      } else {
        numbers.give_back(held.back(), NumberEnd::gone, now);
        held.pop_back();
      }
      RC_ASSERT(numbers.in_use() == held.size());
      RC_ASSERT(numbers.resting() <= 20U);
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace sluice::hub
