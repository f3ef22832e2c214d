#include "hub/gateway/holes.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using wire::hub::Position;
using wire::hub::Reason;
using Parts = std::vector<HolePart>;

Position at(std::uint64_t offset, std::uint64_t epoch = 1) {
  return {.epoch = epoch, .offset = offset};
}

TEST(Holes, IsExpiredWhereNothingIsDamaged) {
  EXPECT_EQ(parts_of({.first = 3, .before = at(6)}, {}),
            (Parts{{.epoch = 1, .first = 3, .last = 5, .reason = Reason::expired}}));
  EXPECT_TRUE(parts_of({.first = 3, .before = at(3)}, {}).empty());
}

TEST(Holes, TellsDamagedOnesApartInOrder) {
  EXPECT_EQ(
      parts_of({.first = 3, .before = at(12, 2)}, {at(1), at(5), at(6), at(8, 2), at(12, 2), at(40, 2)}),
      (Parts{{.epoch = 1, .first = 3, .last = 4, .reason = Reason::expired},
             {.epoch = 1, .first = 5, .last = 6, .reason = Reason::damaged},
             {.epoch = 2, .first = 7, .last = 7, .reason = Reason::expired},
             {.epoch = 2, .first = 8, .last = 8, .reason = Reason::damaged},
             {.epoch = 2, .first = 9, .last = 11, .reason = Reason::expired}}));
}

TEST(Holes, MayBeDamagedAsAWhole) {
  EXPECT_EQ(parts_of({.first = 1, .before = at(4)}, {at(1), at(2), at(3)}),
            (Parts{{.epoch = 1, .first = 1, .last = 3, .reason = Reason::damaged}}));
}

}  // namespace
}  // namespace sluice::hub
