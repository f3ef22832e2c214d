#include "hub/gateway/ranking.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

TEST(Ranking, NamesNobodyWhenNobodyHasAnything) {
  Ranking ranking;
  EXPECT_FALSE(ranking.largest());
  ranking.raise(3);
  EXPECT_EQ(ranking.largest(), 3U);
  ranking.lower(3);
  EXPECT_FALSE(ranking.largest());
  EXPECT_EQ(ranking.count_of(3), 0U);
  EXPECT_EQ(ranking.count_of(99), 0U);
}

TEST(Ranking, NamesOneThatHasTheMostWhateverCameBefore) {
  std::mt19937 random{1};
  Ranking ranking;
  std::map<std::uint32_t, std::uint32_t> counts;
  for (int step = 0; step < 20'000; ++step) {
    const auto member = static_cast<std::uint32_t>(random() % 20);
    if (random() % 2 == 0) {
      ranking.raise(member);
      ++counts[member];
    } else if (counts[member] > 0) {
      ranking.lower(member);
      --counts[member];
    }
    std::uint32_t most = 0;
    for (const auto& [who, count] : counts) most = std::max(most, count);
    ASSERT_EQ(ranking.largest().has_value(), most > 0);
    if (most > 0) {
      ASSERT_EQ(counts.at(*ranking.largest()), most);
    }
    ASSERT_EQ(ranking.count_of(member), counts[member]);
  }
}

}  // namespace
}  // namespace sluice::hub
