#include "hub/gateway/dedup.hpp"

#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using wire::hub::Conversation;
using wire::hub::Position;

const Conversation kGroup{.kind = Conversation::Kind::group, .name = "ops"};
const Conversation kInbox{.kind = Conversation::Kind::user, .name = "ops"};
constexpr TimePoint kBegin{1h};
constexpr crypto::ShortHashKey kKey{std::byte{7}};

Dedup::Message of(std::string_view id, const Conversation& to = kGroup, std::string_view from = "ann") {
  return {.to = to, .from = from, .id = id};
}
Position at(std::uint64_t offset) {
  return {.epoch = 1, .offset = offset};
}

TEST(Dedup, KnowsAMessageByConversationSenderAndId) {
  Dedup dedup{kKey};
  EXPECT_FALSE(dedup.find(of("a"), kBegin));
  dedup.remember(of("a"), at(1), kBegin);
  EXPECT_EQ(dedup.find(of("a"), kBegin), at(1));
  EXPECT_FALSE(dedup.find(of("b"), kBegin));
  EXPECT_FALSE(dedup.find(of("a", kInbox), kBegin));
  EXPECT_FALSE(dedup.find(of("a", kGroup, "bob"), kBegin));
}

TEST(Dedup, DoesNotRunNamesTogether) {
  Dedup dedup{kKey};
  const Conversation all{.kind = Conversation::Kind::all};
  const Conversation longer{.kind = Conversation::Kind::group, .name = "opsa"};
  dedup.remember(of("c", kGroup, "ab"), at(1), kBegin);
  EXPECT_FALSE(dedup.find(of("bc", kGroup, "a"), kBegin));
  EXPECT_FALSE(dedup.find(of("c", longer, "b"), kBegin));
  dedup.remember(of("b", all, "a"), at(2), kBegin);
  EXPECT_FALSE(dedup.find(of("b", {.kind = Conversation::Kind::group, .name = ""}, "a"), kBegin));
  EXPECT_EQ(dedup.find(of("b", all, "a"), kBegin), at(2));
}

TEST(Dedup, TakesTheLongestNames) {
  Dedup dedup{kKey};
  const std::string longest(limits::kMaxName.count(), 'x');
  const std::string other = longest.substr(1) + "y";
  const Conversation to{.kind = Conversation::Kind::group, .name = longest};
  const std::string id = longest.substr(0, limits::kMaxId.count());
  const std::string other_id = id.substr(1) + "y";
  dedup.remember(of(id, to, longest), at(1), kBegin);
  EXPECT_EQ(dedup.find(of(id, to, longest), kBegin), at(1));
  EXPECT_FALSE(dedup.find(of(id, to, other), kBegin));
  EXPECT_FALSE(dedup.find(of(other_id, to, longest), kBegin));
}

TEST(Dedup, ForgetsWhatIsOld) {
  Dedup dedup{kKey, {.entries = 10, .age = 1min}};
  dedup.remember(of("a"), at(1), kBegin);
  dedup.remember(of("b"), at(2), kBegin + 1s);
  EXPECT_EQ(dedup.find(of("a"), kBegin + 59s), at(1));
  EXPECT_FALSE(dedup.find(of("a"), kBegin + 1min));
  EXPECT_EQ(dedup.find(of("b"), kBegin + 1min), at(2));
  EXPECT_EQ(dedup.size(), 1U);
}

TEST(Dedup, ForgetsTheOldestWhenItIsFull) {
  Dedup dedup{kKey, {.entries = 3, .age = 1h}};
  for (std::uint64_t i = 1; i <= 100; ++i) dedup.remember(of(std::to_string(i)), at(i), kBegin);
  EXPECT_EQ(dedup.size(), 3U);
  EXPECT_FALSE(dedup.find(of("97"), kBegin));
  for (std::uint64_t i = 98; i <= 100; ++i) EXPECT_EQ(dedup.find(of(std::to_string(i)), kBegin), at(i));
}

TEST(Dedup, AForgottenMessageComesAsANewOneAndIsKnownForItsWholeTime) {
  Dedup dedup{kKey, {.entries = 10, .age = 1min}};
  dedup.remember(of("a"), at(1), kBegin);
  dedup.forget(of("a"), at(2));
  EXPECT_EQ(dedup.find(of("a"), kBegin), at(1)) << "another one was meant";
  dedup.forget(of("a"), at(1));
  EXPECT_FALSE(dedup.find(of("a"), kBegin));
  dedup.forget(of("a"), at(1));
  dedup.remember(of("a"), at(2), kBegin + 30s);
  EXPECT_EQ(dedup.find(of("a"), kBegin + 1min), at(2));
  EXPECT_FALSE(dedup.find(of("a"), kBegin + 90s));
  EXPECT_EQ(dedup.size(), 0U);
}

TEST(Dedup, AForgottenMessageMayComeAgainInTheSameInstant) {
  Dedup dedup{kKey, {.entries = 2, .age = 1min}};
  dedup.remember(of("a"), at(1), kBegin);
  dedup.forget(of("a"), at(1));
  dedup.remember(of("a"), at(2), kBegin);
  dedup.remember(of("b"), at(3), kBegin);  // the first "a" goes for it
  EXPECT_EQ(dedup.find(of("a"), kBegin), at(2));
  for (std::uint64_t i = 4; i <= 10; ++i) dedup.remember(of(std::to_string(i)), at(i), kBegin);
  EXPECT_FALSE(dedup.find(of("a"), kBegin));
  EXPECT_EQ(dedup.size(), 2U);
}

/// Against what it is meant to be, written down as plainly as can be.
class DedupProperty : public ::testing::TestWithParam<unsigned> {};

TEST_P(DedupProperty, KnowsExactlyWhatItShould) {
  constexpr std::size_t kEntries = 90;
  constexpr Duration kAge = 1s;
  std::mt19937 random{GetParam()};
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  crypto::ShortHashKey key;
  for (std::byte& byte : key) byte = static_cast<std::byte>(below(256));
  Dedup dedup{key, {.entries = kEntries, .age = kAge}};
  struct Came {
    std::string id;
    std::uint64_t offset;
    TimePoint when;
  };
  std::deque<Came> came;
  std::map<std::string, std::uint64_t> known;
  const auto drop_first = [&] {
    const auto found = known.find(came.front().id);
    if (found != known.end() && found->second == came.front().offset) known.erase(found);
    came.pop_front();
  };
  TimePoint now = kBegin;
  std::uint64_t offset = 0;
  for (int step = 0; step < 5'000; ++step) {
    now += std::chrono::milliseconds{below(step % 1'000 < 500 ? 10 : 40)};
    while (!came.empty() && now - came.front().when >= kAge) drop_first();
    const std::string id = std::to_string(below(300));
    const auto found = known.find(id);
    const auto answer = dedup.find(of(id), now);
    ASSERT_EQ(answer.has_value(), found != known.end()) << "step " << step;
    if (answer) {
      ASSERT_EQ(*answer, at(found->second));
      const std::uint64_t meant = below(3) == 0 ? found->second : 0;
      dedup.forget(of(id), at(meant));
      if (meant != 0) known.erase(id);
    } else {
      if (came.size() == kEntries) drop_first();
      dedup.remember(of(id), at(++offset), now);
      came.push_back({.id = id, .offset = offset, .when = now});
      known[id] = offset;
    }
    ASSERT_EQ(dedup.size(), known.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DedupProperty, ::testing::Range(1U, 21U));

}  // namespace
}  // namespace sluice::hub
