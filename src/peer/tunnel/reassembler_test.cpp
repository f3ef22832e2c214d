#include "peer/tunnel/reassembler.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::tunnel {
namespace {

using Place = Reassembler::Place;

TEST(Reassembler, HandsBackEarlyPacketsInOrderOnceTheMissingOneCame) {
  Reassembler order;
  EXPECT_EQ(order.place({2}), Place::early);
  order.hold({2}, as_bytes("two"));
  order.hold({1}, as_bytes("one"));
  EXPECT_FALSE(order.take()) << "0 is missing";
  EXPECT_EQ(order.place({0}), Place::next);
  order.advance();
  EXPECT_EQ(as_text(*order.take()), "one");
  EXPECT_EQ(as_text(*order.take()), "two");
  EXPECT_FALSE(order.take());
  EXPECT_EQ(order.expected(), wire::Sequence{3});
}

TEST(Reassembler, KnowsDuplicatesBeforeAndAfterTheirTurn) {
  Reassembler order;
  order.hold({1}, as_bytes("one"));
  EXPECT_EQ(order.place({1}), Place::duplicate);
  order.advance();
  (void)order.take();
  EXPECT_EQ(order.place({0}), Place::duplicate);
  EXPECT_EQ(order.place({1}), Place::duplicate);
  EXPECT_EQ(order.place({2}), Place::next);
}

TEST(Reassembler, RefusesWhatIsTooFarAhead) {
  Reassembler order{4};
  EXPECT_EQ(order.place({3}), Place::early);
  EXPECT_EQ(order.place({4}), Place::beyond);
  EXPECT_EQ(order.place({0x7FFF'FFFF}), Place::beyond);
  EXPECT_EQ(order.place({0x8000'0001}), Place::duplicate) << "half the circle away it counts as past";
}

/// Every packet once, whatever the order and the duplicates: the property that the tunnel stands on.
TEST(Reassembler, YieldsEachPacketOnceInOrderForAnyOrderOfArrival) {
  rc::check([](std::uint64_t seed, std::uint8_t count) {
    std::vector<std::uint32_t> arrivals;
    for (std::uint32_t i = 0; i < count; ++i) arrivals.insert(arrivals.end(), 1 + seed % 2, i);
    std::shuffle(arrivals.begin(), arrivals.end(), std::mt19937_64{seed});
    Reassembler order;
    std::vector<std::uint32_t> yielded;
    for (const std::uint32_t sequence : arrivals) {
      const std::string text = std::to_string(sequence);
      switch (order.place({sequence})) {
        case Place::next:
          yielded.push_back(sequence);
          order.advance();
          while (const auto held = order.take())
            yielded.push_back(static_cast<std::uint32_t>(std::stoul(std::string{as_text(*held)})));
          break;
        case Place::early:
          order.hold({sequence}, as_bytes(text));
          break;
        case Place::duplicate:
          break;
        case Place::beyond:
          RC_FAIL("nothing is that far ahead");
      }
    }
    RC_ASSERT(yielded.size() == count);
    RC_ASSERT(std::ranges::is_sorted(yielded));
    RC_ASSERT(order.held() == 0U);
  });
}

TEST(Reassembler, GoesOnWhereSequenceNumbersWrapRound) {
  Reassembler order;
  // Walking there takes too long; half the circle at a time does not exist either: so only the comparison is
  // tried.
  for (std::uint32_t i = 0; i < 70'000; ++i) order.advance();
  EXPECT_EQ(order.place({70'000}), Place::next);
  EXPECT_EQ(order.place({70'001}), Place::early);
  EXPECT_EQ(order.place({0xFFFF'FFFF}), Place::duplicate);
}

}  // namespace
}  // namespace sluice::tunnel
