#include "peer/tunnel/held_bytes.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::tunnel {
namespace {

TEST(HeldBytes, IsFirstInFirstOutWhateverTheSizes) {
  rc::check([](const std::vector<std::string>& appended, std::uint8_t step) {
    HeldBytes held;
    std::string all;
    for (const std::string& bytes : appended) {
      held.append(as_bytes(bytes));
      all += bytes;
    }
    RC_ASSERT(held.size() == Bytes{all.size()});
    std::string popped;
    while (!held.empty()) {
      const ByteView front = held.front();
      RC_ASSERT(!front.empty());
      const std::size_t size = std::min<std::size_t>(front.size(), step + 1U);
      popped += as_text(front.first(size));
      held.pop(size);
    }
    RC_ASSERT(popped == all);
    RC_ASSERT(held.size() == Bytes{});
  });
}

TEST(HeldBytes, FillsABlockUpBeforeItBeginsAnother) {
  HeldBytes held;
  for (int i = 0; i < 100; ++i) held.append(as_bytes("x"));
  EXPECT_EQ(held.front().size(), 100U);
  held.append(ByteBuffer(64 * 1024));
  EXPECT_EQ(held.front().size(), 16 * 1024U);
  held.pop(16 * 1024);
  EXPECT_EQ(held.front().size(), 48 * 1024U + 100);
  held.clear();
  EXPECT_TRUE(held.empty());
  EXPECT_TRUE(held.front().empty());
}

}  // namespace
}  // namespace sluice::tunnel
