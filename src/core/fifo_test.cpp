#include "core/fifo.hpp"

#include <deque>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice {
namespace {

TEST(Fifo, TakesWhatWasPutInOrder) {
  rc::check([](const std::vector<bool>& steps) {
    Fifo<std::unique_ptr<int>> fifo;
    std::deque<int> model;
    int next = 0;
    for (const bool put : steps) {
      if (put || model.empty()) {
        // Several at a time, so that it grows.
        for (int i = 0; i < 5; ++i) {
          fifo.push_back(std::make_unique<int>(++next));
          model.push_back(next);
        }
      } else {
        RC_ASSERT(*fifo.front() == model.front());
        RC_ASSERT(*fifo.take_front() == model.front());
        model.pop_front();
      }
      RC_ASSERT(fifo.size() == model.size());
      auto expected = model.begin();
      for (const auto& item : fifo) RC_ASSERT(*item == *expected++);
    }
  });
}

TEST(Fifo, GoesOnForLong) {
  Fifo<int> fifo;
  for (int i = 0; i < 100; ++i) fifo.push_back(i);
  for (int i = 0; i < 100'000; ++i) {
    fifo.push_back(100 + i);
    ASSERT_EQ(fifo.take_front(), i);
  }
  EXPECT_EQ(fifo.size(), 100U);
}

}  // namespace
}  // namespace sluice
