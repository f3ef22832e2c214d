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

/// By names, where the hub computes the print once.
class Named {
 public:
  template <typename... Limits>
  explicit Named(const crypto::ShortHashKey& key, const Limits&... limits) : dedup_(key, limits...) {}
  std::optional<Position> find(const Dedup::Message& message, TimePoint now) {
    return dedup_.find(dedup_.print_of(message), now);
  }
  void remember(const Dedup::Message& message, Position position, TimePoint now) {
    dedup_.remember(dedup_.print_of(message), position, now);
  }
  void forget(const Dedup::Message& message, Position position) {
    dedup_.forget(dedup_.print_of(message), position);
  }
  [[nodiscard]] std::size_t size() const { return dedup_.size(); }
  [[nodiscard]] std::size_t senders() const { return dedup_.senders(); }

 private:
  Dedup dedup_;
};

TEST(Dedup, KnowsAMessageByConversationSenderAndId) {
  Named dedup{kKey};
  EXPECT_FALSE(dedup.find(of("a"), kBegin));
  dedup.remember(of("a"), at(1), kBegin);
  EXPECT_EQ(dedup.find(of("a"), kBegin), at(1));
  EXPECT_FALSE(dedup.find(of("b"), kBegin));
  EXPECT_FALSE(dedup.find(of("a", kInbox), kBegin));
  EXPECT_FALSE(dedup.find(of("a", kGroup, "bob"), kBegin));
}

TEST(Dedup, DoesNotRunNamesTogether) {
  Named dedup{kKey};
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
  Named dedup{kKey};
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
  Named dedup{kKey, Dedup::Limits{.entries = 10, .age = 1min}};
  dedup.remember(of("a"), at(1), kBegin);
  dedup.remember(of("b"), at(2), kBegin + 1s);
  EXPECT_EQ(dedup.find(of("a"), kBegin + 59s), at(1));
  EXPECT_FALSE(dedup.find(of("a"), kBegin + 1min));
  EXPECT_EQ(dedup.find(of("b"), kBegin + 1min), at(2));
  EXPECT_EQ(dedup.size(), 1U);
}

TEST(Dedup, ForgetsTheOldestWhenItIsFull) {
  Named dedup{kKey, Dedup::Limits{.entries = 3, .age = 1h}};
  for (std::uint64_t i = 1; i <= 100; ++i) dedup.remember(of(std::to_string(i)), at(i), kBegin);
  EXPECT_EQ(dedup.size(), 3U);
  EXPECT_FALSE(dedup.find(of("97"), kBegin));
  for (std::uint64_t i = 98; i <= 100; ++i) EXPECT_EQ(dedup.find(of(std::to_string(i)), kBegin), at(i));
}

TEST(Dedup, AForgottenMessageComesAsANewOneAndIsKnownForItsWholeTime) {
  Named dedup{kKey, Dedup::Limits{.entries = 10, .age = 1min}};
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
  Named dedup{kKey, Dedup::Limits{.entries = 2, .age = 1min}};
  dedup.remember(of("a"), at(1), kBegin);
  dedup.forget(of("a"), at(1));
  dedup.remember(of("a"), at(2), kBegin);
  dedup.remember(of("b"), at(3), kBegin);  // the first "a" goes for it
  EXPECT_EQ(dedup.find(of("a"), kBegin), at(2));
  for (std::uint64_t i = 4; i <= 10; ++i) dedup.remember(of(std::to_string(i)), at(i), kBegin);
  EXPECT_FALSE(dedup.find(of("a"), kBegin));
  EXPECT_EQ(dedup.size(), 2U);
}

TEST(Dedup, FloodOfOthersLeavesASendersIdsAlone) {
  Named dedup{kKey, Dedup::Limits{.entries = 20'000}};
  for (std::uint64_t i = 1; i <= 500; ++i)
    dedup.remember(of(std::to_string(i), kGroup, "victim"), at(i), kBegin);
  for (std::uint64_t i = 0; i < 20'400; ++i) {
    dedup.remember(of(std::to_string(i), kGroup, "attacker" + std::to_string(i % 12)), at(1'000 + i),
                   kBegin + 12s);
  }
  EXPECT_EQ(dedup.size(), 20'000U);
  for (std::uint64_t i = 1; i <= 500; ++i)
    ASSERT_EQ(dedup.find(of(std::to_string(i), kGroup, "victim"), kBegin + 12s), at(i));
  // Attackers lose their own oldest ones.
  EXPECT_FALSE(dedup.find(of("0", kGroup, "attacker0"), kBegin + 12s));
  EXPECT_TRUE(dedup.find(of("20399", kGroup, "attacker11"), kBegin + 12s));
}

TEST(Dedup, SenderWithAnEqualPartOfTheTableLosesNothingToNewSenders) {
  Named dedup{kKey, Dedup::Limits{.entries = 100}};
  for (std::uint64_t i = 1; i <= 100; ++i)
    dedup.remember(of(std::to_string(i), kGroup, "s" + std::to_string(i % 10)), at(i), kBegin);
  // All ten have ten; one that goes on loses its own.
  for (std::uint64_t i = 101; i <= 200; ++i)
    dedup.remember(of(std::to_string(i), kGroup, "s0"), at(i), kBegin);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const bool its_own = i % 10 == 0;
    ASSERT_EQ(dedup.find(of(std::to_string(i), kGroup, "s" + std::to_string(i % 10)), kBegin).has_value(),
              !its_own)
        << i;
  }
  // The hundredth sender still finds room for one.
  for (std::uint64_t i = 0; i < 90; ++i)
    dedup.remember(of("x", kGroup, "n" + std::to_string(i)), at(300 + i), kBegin);
  EXPECT_EQ(dedup.senders(), 100U);
  for (std::uint64_t i = 0; i < 90; ++i)
    ASSERT_TRUE(dedup.find(of("x", kGroup, "n" + std::to_string(i)), kBegin));
}

TEST(Dedup, RemembersNoSenderOfWhichItHasNothing) {
  Named dedup{kKey, Dedup::Limits{.entries = 1, .age = 1min}};
  for (std::uint64_t i = 1; i <= 50; ++i)
    dedup.remember(of("a", kGroup, "s" + std::to_string(i / 2)), at(i), kBegin);
  EXPECT_EQ(dedup.senders(), 1U);
  EXPECT_FALSE(dedup.find(of("a", kGroup, "s25"), kBegin + 1min));
  EXPECT_EQ(dedup.senders(), 0U);
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
  Named dedup{key, Dedup::Limits{.entries = kEntries, .age = kAge}};
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
