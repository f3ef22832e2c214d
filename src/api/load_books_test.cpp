#include "api/load_books.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

using namespace std::chrono_literals;
using Source = ReceiverBook::Source;
using wire::hub::Gap;

wire::hub::Position at(std::uint64_t offset) {
  return {.epoch = 1, .offset = offset};
}
Gap gap(std::uint64_t first, std::uint64_t last) {
  return {.epoch = 1, .first = first, .last = last, .count = last - first + 1};
}

TEST(Latencies, TellPercentilesWithinTheWidthOfABucket) {
  std::mt19937_64 random{5};
  Latencies latencies;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    const auto us =
        static_cast<std::int64_t>(std::exp(std::uniform_real_distribution<double>{0, 17}(random)));
    all.push_back(us);
    latencies.record(std::chrono::microseconds{us});
  }
  std::ranges::sort(all);
  for (const double part : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto index = static_cast<std::size_t>(std::ceil(part * 20'000)) - 1;
    const auto told =
        std::chrono::duration_cast<std::chrono::microseconds>(latencies.percentile(part)).count();
    EXPECT_GE(told, all[index]) << part;
    EXPECT_LE(static_cast<double>(told), static_cast<double>(all[index]) * 1.016 + 1) << part;
  }
  EXPECT_EQ(latencies.longest(), std::chrono::microseconds{all.back()});
  EXPECT_EQ(latencies.count(), 20'000U);
}

TEST(Latencies, AreAddedUp) {
  Latencies one;
  Latencies other;
  EXPECT_EQ(one.percentile(0.5), 0ms);
  one.record(1ms);
  other.record(3ms);
  other.record(70h);  // past the last bucket
  one.merge(other);
  EXPECT_EQ(one.count(), 3U);
  EXPECT_EQ(one.longest(), 70h);
  EXPECT_LE(one.percentile(0.3), 1016us);
}

TEST(LoadStamp, IsReadAsItWasWritten) {
  const LoadStamp stamp{.run = 7, .sender = 3, .number = 1'000'000'007, .sent_ns = -5};
  const std::string content = stamped(stamp, 256);
  EXPECT_EQ(content.size(), 256U);
  EXPECT_EQ(read_stamp(as_bytes(content)), stamp);
  EXPECT_EQ(read_stamp(as_bytes(stamped(stamp, LoadStamp::kSize))), stamp);
  EXPECT_FALSE(read_stamp(as_bytes(content).first(LoadStamp::kSize - 1)));
}

TEST(ReceiverBook, CountsWhatComesInOrder) {
  ReceiverBook book;
  book.take(at(1), Source::live, 1, 1);
  book.take(at(2), Source::live, 2, 1);
  book.take(at(3), Source::live, 1, 3);  // 2 was refused
  EXPECT_EQ(book.delivered(), 3U);
  EXPECT_EQ(book.out_of_order(), 0U);
  EXPECT_EQ(book.duplicates(), 0U);
  EXPECT_EQ(book.done(), at(3));
}

TEST(ReceiverBook, SeesWhatComesTwiceAndWhatComesLate) {
  ReceiverBook book;
  book.take(at(1), Source::live, 1, 1);
  book.take(at(1), Source::log, 1, 1);
  EXPECT_EQ(book.duplicates(), 1U);
  book.take(at(2), Source::live, 1, 1);  // numbered anew by the hub
  EXPECT_EQ(book.duplicates(), 2U);
  book.take(at(3), Source::live, 1, 3);
  book.take(at(4), Source::live, 1, 2);
  EXPECT_EQ(book.out_of_order(), 1U);
  book.take(at(5), Source::live, 1, 2);
  EXPECT_EQ(book.duplicates(), 3U);
  book.take(at(5), Source::live, 1, 4);  // another message at the same place
  EXPECT_EQ(book.duplicates(), 4U);
  EXPECT_EQ(book.delivered(), 3U);
}

TEST(ReceiverBook, BalancesOverGaps) {
  ReceiverBook book;
  book.begin_at(at(0));
  book.take(at(1), Source::live, 1, 1);
  book.tell(gap(2, 4));
  book.take(at(5), Source::live, 1, 5);
  EXPECT_EQ(book.gapped(), 3U);
  EXPECT_EQ(book.done(), at(5));
  const auto even = balance({.accepted = 5}, book.delivered(), book.gapped());
  EXPECT_EQ(even.missing + even.surplus, 0U);
  EXPECT_EQ(balance({.accepted = 7}, book.delivered(), book.gapped()).missing, 2U);
  EXPECT_EQ(balance({.accepted = 4}, book.delivered(), book.gapped()).surplus, 1U);
  const auto open = balance({.accepted = 4, .unanswered = 2}, book.delivered(), book.gapped());
  EXPECT_EQ(open.missing + open.surplus, 0U) << "it was accepted, and its sender never heard of it";
}

TEST(ReceiverBook, SeesAHoleThatIsNotToldInTime) {
  ReceiverBook book;
  book.begin_at(at(0));
  book.take(at(1), Source::live, 1, 1);
  book.tell(gap(2, 4));
  book.take(at(5), Source::live, 1, 5);
  EXPECT_EQ(book.untold(), 0U);
  book.take(at(8), Source::live, 1, 8);
  book.tell(gap(6, 7));
  book.take(at(9), Source::live, 1, 9);
  EXPECT_EQ(book.untold(), 1U);
  book.take(at(12), Source::log, 1, 12);  // what has expired is left out in silence
  EXPECT_EQ(book.untold(), 1U);
}

}  // namespace
}  // namespace sluice::api
