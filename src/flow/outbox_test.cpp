#include "flow/outbox.hpp"

#include <map>
#include <random>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::flow {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// Frames of these sizes, each filled with its letter.
SharedFrames frames(std::string_view letters, std::size_t size) {
  ByteBuffer bytes;
  std::vector<std::uint32_t> ends;
  for (const char letter : letters) {
    bytes.insert(bytes.end(), size, static_cast<std::byte>(letter));
    ends.push_back(static_cast<std::uint32_t>(bytes.size()));
  }
  return std::make_shared<const Frames>(std::move(bytes), std::move(ends));
}

class OutboxTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kSource = 7;
  Outbox::Pushed push(std::string_view letters, OutboxItem item = {}) {
    item.frames = frames(letters, 10);
    if (item.source == 0) item.source = kSource;
    item.counted = item.urgency == Urgency::normal;
    return outbox.push(std::move(item), now);
  }
  /// What goes out when the link takes `bytes`.
  std::string send(std::size_t bytes, Bytes allowance = Bytes::max()) {
    std::string out;
    while (out.size() < bytes) {
      const ByteView front = outbox.front(allowance);
      if (front.empty()) break;
      const ByteView taken = front.first(std::min(front.size(), bytes - out.size()));
      out += as_text(taken);
      const auto sent = outbox.advance(taken.size(), now);
      allowance -= sent.counted_bytes;
    }
    return out;
  }
  static std::string text(std::string_view letters) {
    std::string out;
    for (const char letter : letters) out.append(10, letter);
    return out;
  }

  TimePoint now{1h};
  Outbox outbox{{.marks = {.low = 20_B, .high = 50_B}, .hard = 200_B}};
};

TEST_F(OutboxTest, SendsWhatWaitsInItsOrder) {
  push("ab");
  push("c");
  EXPECT_EQ(outbox.bytes(), 30_B);
  EXPECT_EQ(outbox.waiting(), 3U);
  EXPECT_EQ(send(15) + send(100), text("abc"));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.waiting(), 0U);
  EXPECT_EQ(outbox.oldest(), std::nullopt);
}

TEST_F(OutboxTest, CriticalGoesBeforeNormalButBehindAFrameThatWasBegun) {
  push("abc");
  EXPECT_EQ(send(5), "aaaaa");
  push("X", {.urgency = Urgency::critical});
  push("Y", {.urgency = Urgency::critical});
  EXPECT_EQ(send(100), "aaaaa" + text("XYbc"));
}

TEST_F(OutboxTest, DropsTheNewestFromTheHighMarkToTheLowOne) {
  EXPECT_EQ(push("abcde"), Outbox::Pushed::queued);
  EXPECT_FALSE(outbox.writable());
  EXPECT_EQ(push("f", {.first = 5}), Outbox::Pushed::dropped);
  EXPECT_EQ(send(20), text("ab"));
  EXPECT_EQ(push("gh", {.first = 6}), Outbox::Pushed::dropped) << "30 bytes wait, the low mark is 20";
  EXPECT_EQ(send(10), text("c"));
  EXPECT_TRUE(outbox.writable());
  EXPECT_EQ(push("i", {.first = 8}), Outbox::Pushed::queued);
  EXPECT_THAT(outbox.take_drops(), ElementsAre(Drop{kSource, 5, 7, 3, DropReason::newest}));
  EXPECT_THAT(outbox.take_drops(), IsEmpty());
  EXPECT_EQ(send(100), text("dei"));
}

TEST_F(OutboxTest, DropsTheOldestUntilThereIsRoom) {
  push("ab", {.policy = DropPolicy::oldest, .first = 0});
  push("cde", {.policy = DropPolicy::oldest, .first = 2});
  EXPECT_EQ(push("fg", {.policy = DropPolicy::oldest, .first = 5}), Outbox::Pushed::queued);
  EXPECT_THAT(outbox.take_drops(), ElementsAre(Drop{kSource, 0, 1, 2, DropReason::oldest}));
  EXPECT_EQ(send(100), text("cdefg"));
}

TEST_F(OutboxTest, NeverDropsAFrameThatWasBegun) {
  push("abcde", {.policy = DropPolicy::oldest, .first = 0});
  EXPECT_EQ(send(3), "aaa");
  push("fghi", {.policy = DropPolicy::oldest, .first = 5});
  EXPECT_THAT(outbox.take_drops(), ElementsAre(Drop{kSource, 1, 4, 4, DropReason::oldest}));
  EXPECT_EQ(send(100), "aaaaaaa" + text("fghi"));
}

TEST_F(OutboxTest, ConflatesWhatWaitsUnderTheSameKey) {
  push("a", {.policy = DropPolicy::conflate, .first = 0, .key = "price"});
  push("b", {.policy = DropPolicy::conflate, .first = 1, .key = "volume"});
  push("c", {.policy = DropPolicy::conflate, .first = 2, .key = "price"});
  push("d", {.policy = DropPolicy::conflate, .source = 8, .first = 0, .key = "price"});
  EXPECT_THAT(outbox.take_drops(), ElementsAre(Drop{kSource, 0, 0, 1, DropReason::conflated}));
  EXPECT_EQ(send(100), text("bcd"));
}

TEST_F(OutboxTest, ConflatesNothingThatWasBegun) {
  push("a", {.policy = DropPolicy::conflate, .key = "price"});
  EXPECT_EQ(send(1), "a");
  push("b", {.policy = DropPolicy::conflate, .first = 1, .key = "price"});
  EXPECT_EQ(send(100), "aaaaaaaaa" + text("b"));
  EXPECT_FALSE(outbox.has_drops());
}

TEST_F(OutboxTest, WhatIsDroppedLeavesItsAgeToWhatWaitsBehindIt) {
  const TimePoint begin = now;
  push("abcde", {.policy = DropPolicy::oldest});
  now += 1s;
  push("fghij", {.policy = DropPolicy::oldest, .first = 5});
  EXPECT_EQ(outbox.oldest(), begin) << "the link has taken nothing since";
  EXPECT_EQ(send(10), text("f"));
  push("a", {.policy = DropPolicy::conflate, .first = 10, .key = "k"});
  EXPECT_EQ(send(40), text("ghij"));
  EXPECT_EQ(outbox.oldest(), now);
  now += 1s;
  push("b", {.policy = DropPolicy::conflate, .first = 11, .key = "k"});
  EXPECT_EQ(outbox.oldest(), now - 1s) << "the only one that waited was replaced";
}

TEST_F(OutboxTest, CriticalIsNeverDroppedAndOverflowsAtTheHardLimit) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(push("x", {.urgency = Urgency::critical}), Outbox::Pushed::queued);
  }
  EXPECT_EQ(push("x", {.urgency = Urgency::critical}), Outbox::Pushed::overflow);
  EXPECT_EQ(outbox.bytes(), 200_B);
  EXPECT_FALSE(outbox.has_drops());
}

TEST_F(OutboxTest, WithoutDropsNormalWaitsToTheHardLimit) {
  outbox.set_limits({.marks = {.low = 20_B, .high = 50_B}, .drop_when_unwritable = false, .hard = 200_B},
                    now);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(push("x"), Outbox::Pushed::queued);
  EXPECT_FALSE(outbox.writable());
  EXPECT_EQ(push("x"), Outbox::Pushed::overflow);
}

TEST_F(OutboxTest, HoldsCountedFramesBackThatPassTheAllowance) {
  push("abc");
  EXPECT_EQ(as_text(outbox.front(25_B)), text("ab")) << "a third would pass it";
  EXPECT_EQ(send(20), text("ab"));
  EXPECT_EQ(send(100, 0_B), "");
  push("X", {.urgency = Urgency::critical});
  EXPECT_EQ(send(100, 0_B), text("X")) << "not counted";
  EXPECT_EQ(send(100, 1_B), text("c")) << "one may pass it, or a large one would never go";
}

TEST_F(OutboxTest, TellsWhatWasFinished) {
  outbox.push({.frames = frames("abc", 10), .source = 3, .first = 40, .counted = true}, now, 15);
  EXPECT_EQ(outbox.bytes(), 15_B);
  const auto sent = outbox.advance(5, now);
  EXPECT_EQ(sent.messages, 1U);
  EXPECT_EQ(sent.source, 3U);
  EXPECT_EQ(sent.last, 41U);
  EXPECT_EQ(sent.counted_bytes, 10_B);
}

TEST_F(OutboxTest, ShedsEveryNormalMessageThatWasNotBegun) {
  push("abc");
  push("X", {.urgency = Urgency::critical});
  push("de", {.first = 3});
  EXPECT_EQ(outbox.shed(now), 50_B);
  EXPECT_THAT(outbox.take_drops(), ElementsAre(Drop{kSource, 0, 4, 5, DropReason::shed}));
  EXPECT_EQ(send(100), text("X"));
}

TEST_F(OutboxTest, TellsAHoleBeforeWhatComesBehindIt) {
  push("abcde");
  push("f", {.first = 5});
  EXPECT_EQ(send(30), text("abc"));
  push("gh", {.first = 6});
  EXPECT_THAT(outbox.take_drops_before_next(), IsEmpty()) << "d and e go before it";
  EXPECT_EQ(send(20), text("de"));
  EXPECT_THAT(outbox.take_drops_before_next(), ElementsAre(Drop{kSource, 5, 5, 1, DropReason::newest}));
  EXPECT_EQ(send(20), text("gh"));
}

TEST_F(OutboxTest, TellsNoHoleWithinAFrame) {
  push("abcde", {.policy = DropPolicy::oldest});
  EXPECT_EQ(send(5), "aaaaa");
  push("f", {.policy = DropPolicy::oldest, .first = 5});
  EXPECT_THAT(outbox.take_drops_before_next(), IsEmpty());
  EXPECT_EQ(send(5), "aaaaa");
  EXPECT_THAT(outbox.take_drops_before_next(), ElementsAre(Drop{kSource, 1, 4, 4, DropReason::oldest}));
}

TEST_F(OutboxTest, ForgetsASourceButForTheFrameThatWasBegun) {
  push("abc");
  push("X", {.urgency = Urgency::critical, .source = 9});
  push("de", {.source = 8});
  push("f", {.first = 3});
  EXPECT_EQ(send(5), "XXXXX");
  EXPECT_EQ(outbox.forget(kSource, now), 3U) << "f was dropped before: there was no room";
  EXPECT_FALSE(outbox.has_drops());
  EXPECT_EQ(outbox.forget(9, now), 0U);
  EXPECT_EQ(send(100), "XXXXX" + text("de"));
}

TEST_F(OutboxTest, ForgetsWhatIsAboutASourceWithIt) {
  push("X", {.urgency = Urgency::critical, .source = 9});
  push("Y", {.urgency = Urgency::critical, .source = 9, .about = kSource});
  push("a");
  push("Z", {.urgency = Urgency::critical, .source = 9, .about = 8});
  EXPECT_EQ(outbox.forget(kSource, now), 1U) << "none of its messages but one";
  EXPECT_EQ(send(100), text("XZ"));
}

TEST_F(OutboxTest, GivesUpWhatWaitsOfASourceAndTellsAllOfItsDropsInOrder) {
  push("ab", {.policy = DropPolicy::conflate, .first = 0});
  (void)outbox.forget(kSource, now);
  for (std::uint64_t offset = 1; offset <= 5; ++offset)
    push("c",
         {.policy = DropPolicy::conflate, .first = offset, .key = offset == 3 || offset == 5 ? "k" : ""});
  push("d", {.policy = DropPolicy::oldest, .source = 8});
  push("X", {.urgency = Urgency::critical, .source = 9});
  EXPECT_EQ(send(5), "XXXXX");
  EXPECT_THAT(outbox.give_up(kSource, now), ElementsAre(Drop{kSource, 1, 2, 2, DropReason::oldest},
                                                        Drop{kSource, 3, 3, 1, DropReason::conflated},
                                                        Drop{kSource, 4, 5, 2, DropReason::oldest}));
  EXPECT_EQ(send(100), "XXXXX" + text("d"));
  EXPECT_FALSE(outbox.has_drops());
}

/// A receiver of random speed, and the books about what it was sent.
class OutboxProperty : public testing::TestWithParam<unsigned> {};

TEST_P(OutboxProperty, LosesAndReordersNothingSilently) {
  std::mt19937 random{GetParam()};
  const auto below = [&](unsigned n) { return static_cast<std::size_t>(random() % n); };
  Outbox outbox{{.marks = {.low = 200_B, .high = 500_B}, .hard = 2'000_B}};
  TimePoint now{1h};
  std::map<std::uint64_t, std::uint64_t> next;  // offset by source
  std::uint64_t pushed = 0, sent = 0, dropped = 0, overflowed = 0, critical = 0;
  std::map<std::uint64_t, std::uint64_t> last_sent;
  std::map<std::uint64_t, std::set<std::uint64_t>> heard;  // offsets: sent, told, or overflowed
  const auto hear = [&](std::uint64_t source, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t offset = first; offset <= last; ++offset) heard[source].insert(offset);
  };
  const auto tell = [&](const std::vector<Drop>& drops) {
    for (const Drop& drop : drops) {
      ASSERT_NE(drop.source, 1U) << "critical";
      ASSERT_LE(drop.count, drop.last - drop.first + 1);
      dropped += drop.count;
      hear(drop.source, drop.first, drop.last);
    }
  };
  for (int step = 0; step < 3'000; ++step) {
    now += std::chrono::milliseconds{below(50)};
    if (below(3) != 0) {
      OutboxItem item{.source = 1 + below(4)};
      item.urgency = item.source == 1 ? Urgency::critical : Urgency::normal;
      item.policy = static_cast<DropPolicy>(item.source % 3);
      item.counted = item.urgency == Urgency::normal;
      const bool keyed = item.policy == DropPolicy::conflate && item.urgency == Urgency::normal;
      if (keyed) item.key = std::string(1, static_cast<char>('a' + below(3)));
      const std::size_t count = keyed ? 1 : 1 + below(4);
      item.first = next[item.source];
      next[item.source] += count;
      item.frames = frames(std::string(count, static_cast<char>('0' + item.source)), 1 + below(90));
      pushed += count;
      const Urgency urgency = item.urgency;
      const std::uint64_t source = item.source;
      if (outbox.push(std::move(item), now) == Outbox::Pushed::overflow) {
        overflowed += count;
        hear(source, next[source] - count, next[source] - 1);
      } else if (urgency == Urgency::critical) {
        critical += count;
      }
    } else {
      const ByteView front = outbox.front(Bytes{below(400)});
      if (!front.empty()) {
        tell(outbox.take_drops_before_next());
        const auto done = outbox.advance(1 + below(static_cast<unsigned>(front.size())), now);
        sent += done.messages;
        if (done.messages > 0) {
          const auto known = last_sent.find(done.source);
          ASSERT_TRUE(known == last_sent.end() || known->second < done.last) << "order in a source";
          last_sent[done.source] = done.last;
          hear(done.source, done.last + 1 - done.messages, done.last);
          ASSERT_EQ(heard[done.source].lower_bound(done.last),
                    std::next(heard[done.source].begin(), static_cast<std::ptrdiff_t>(done.last)))
              << "something before it was neither sent nor told";
          if (done.urgency == Urgency::critical) critical -= done.messages;
        }
      }
    }
    ASSERT_LE(outbox.bytes(), 2'000_B);
    ASSERT_EQ(outbox.stats().dropped + sent + overflowed + outbox.waiting(), pushed);
    ASSERT_EQ(outbox.empty(), outbox.waiting() == 0);
  }
  while (!outbox.empty()) {
    const auto done = outbox.advance(outbox.front(Bytes::max()).size(), now);
    sent += done.messages;
    if (done.urgency == Urgency::critical) critical -= done.messages;
  }
  tell(outbox.take_drops());
  EXPECT_EQ(pushed, sent + dropped + overflowed);
  EXPECT_EQ(critical, 0U);
  EXPECT_TRUE(outbox.writable());
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxProperty, testing::Range(1U, 21U));

}  // namespace
}  // namespace sluice::flow
