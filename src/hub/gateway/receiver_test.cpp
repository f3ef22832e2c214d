#include "hub/gateway/receiver.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/gateway/testing/world.hpp"

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using flow::DropPolicy;
using flow::Urgency;
using ::testing::ElementsAre;
using testing::group;
using wire::hub::Delivery;
using wire::hub::Gap;

/// What is delivered next of a source.
struct What {
  std::uint64_t source = 1;
  Urgency urgency = Urgency::normal;
  DropPolicy policy = DropPolicy::oldest;
  std::string key{};
  std::size_t size = 50;
};

/// One client's way out, and the client, who notes what it hears. Sources are groups by their number.
class ReceiverTest : public ::testing::Test {
 protected:
  ReceiverTest() = default;
  ~ReceiverTest() override {
    if (!receiver_) return;
    EXPECT_TRUE(books_.balance(receiver_->pending_copies()));
    receiver_.reset();
    EXPECT_EQ(books_.pending(), 0U);
    EXPECT_EQ(account_->stats().held, Bytes{});
  }
  ReceiverTest(const ReceiverTest&) = delete;
  ReceiverTest& operator=(const ReceiverTest&) = delete;

  Receiver& receiver(Receiver::Identity identity = {.encoding = wire::hub::Encoding::proto,
                                                    .acknowledges = false}) {
    if (!receiver_) {
      receiver_.emplace(identity, limits_, socket_, account_, books_,
                        [this](const std::vector<flow::Drop>& drops) { return tell(drops); });
    }
    return *receiver_;
  }

  /// The next ones of their source.
  void deliver(const What& what, std::uint32_t count = 1) {
    std::uint64_t& next = next_[what.source];
    Batch batch{
        .first = next + 1, .count = count, .urgency = what.urgency, .policy = what.policy, .key = what.key};
    std::vector<wire::hub::FromHub> messages;
    for (std::uint32_t i = 0; i < count; ++i) {
      messages.emplace_back(Delivery{.to = group(std::to_string(what.source)),
                                     .position = {.epoch = 1, .offset = ++next},
                                     .content = {.bytes = std::string(what.size, 'x')},
                                     .critical = what.urgency == Urgency::critical});
    }
    batch.frames[0] = envelopes_.encode(messages);
    receiver().deliver(what.source, batch, now_);
  }
  /// Its socket takes so many bytes more.
  void give_room(std::size_t bytes) {
    wire_->room = bytes;
    if (std::exchange(wire_->refused, false)) receiver().on_writable(now_);
  }
  /// In words: "2" is a delivery, "3-5" a gap.
  std::vector<std::string> hear() {
    std::vector<std::string> heard;
    while (const auto message = envelopes_.take(wire_->stream)) {
      if (const auto* const delivery = std::get_if<Delivery>(&*message)) {
        heard.push_back(std::to_string(delivery->position.offset));
      } else if (const auto* const gap = std::get_if<Gap>(&*message)) {
        heard.push_back(std::to_string(gap->first).append(1, '-').append(std::to_string(gap->last)));
      }
    }
    return heard;
  }
  SharedFrames tell(const std::vector<flow::Drop>& drops) {
    std::vector<wire::hub::FromHub> gaps;
    for (const flow::Drop& drop : drops) {
      gaps.emplace_back(Gap{.conversation = group(std::to_string(drop.source)),
                            .epoch = 1,
                            .first = drop.first,
                            .last = drop.last,
                            .count = drop.count});
    }
    return envelopes_.encode(gaps);
  }

  TimePoint now_{1h};
  ReceiverLimits limits_{.outbox = {.marks = {.low = 500_B, .high = 1'000_B}, .hard = 100_KiB}};
  testing::Envelopes envelopes_;
  std::shared_ptr<testing::Wire> wire_ = std::make_shared<testing::Wire>();
  testing::FakeSocket socket_{wire_};
  std::shared_ptr<flow::Account> account_ = std::make_shared<flow::Account>(1_MiB);
  Books books_;
  std::map<std::uint64_t, std::uint64_t> next_;  ///< By source.

 private:
  std::optional<Receiver> receiver_;
};

constexpr Receiver::Identity kAcknowledges{.encoding = wire::hub::Encoding::proto, .acknowledges = true};

TEST_F(ReceiverTest, TellsWhatCameLastAndWasDroppedBehindWhatWaits) {
  give_room(0);
  for (int i = 0; i < 12; ++i) deliver({.policy = DropPolicy::newest, .size = 66});  // 112 bytes each
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8", "9", "10-12"));
  EXPECT_EQ(books_.gapped, 3U);
}

TEST_F(ReceiverTest, TellsWhatWaitedLongestAndWasDroppedBeforeWhatWaits) {
  give_room(0);
  for (int i = 0; i < 12; ++i) deliver({.policy = DropPolicy::oldest, .size = 66});
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("1-4", "5", "6", "7", "8", "9", "10", "11", "12"));
}

TEST_F(ReceiverTest, TellsWhatWasReplacedInItsPlace) {
  give_room(0);
  for (const char* const key : {"a", "b", "a", "c", "b"})
    deliver({.policy = DropPolicy::conflate, .key = key});
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("1-2", "3", "4", "5"));
}

TEST_F(ReceiverTest, TellsAHoleInTheMiddleWhenItsTurnComes) {
  give_room(0);
  for (const char* const key : {"a", "b", "c", "b"}) deliver({.policy = DropPolicy::conflate, .key = key});
  give_room(100);
  EXPECT_THAT(hear(), ElementsAre("1")) << "there is room for one";
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("2-2", "3", "4"));
}

TEST_F(ReceiverTest, TellsWhatWasShedWhenNothingElseWaits) {
  give_room(0);
  for (int i = 0; i < 3; ++i) deliver({});
  EXPECT_GT(receiver().shed(now_), Bytes{});
  EXPECT_TRUE(hear().empty()) << "its socket takes nothing";
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("1-3"));
  deliver({});
  EXPECT_THAT(hear(), ElementsAre("4"));
}

TEST_F(ReceiverTest, AHoleWaitsForTheWindowLikeADelivery) {
  limits_.window = 480_B;  // five of them
  receiver(kAcknowledges);
  for (int i = 0; i < 20; ++i) deliver({.policy = DropPolicy::oldest});
  EXPECT_THAT(hear(), ElementsAre("1", "2", "3", "4", "5"));
  ASSERT_TRUE(receiver().on_ack(5, now_));
  EXPECT_THAT(hear(), ElementsAre("6-10", "11", "12", "13", "14", "15"));
  const auto processed = receiver().on_ack(6, now_);  // the gap alone
  ASSERT_TRUE(processed);
  EXPECT_TRUE(processed->empty()) << "a gap is no message of the conversation";
}

TEST_F(ReceiverTest, AnAcknowledgementGoesAsFarAsTheLastDeliveryThatItCovers) {
  limits_.window = 480_B;
  receiver(kAcknowledges);
  for (int i = 0; i < 20; ++i) deliver({.policy = DropPolicy::oldest});
  const auto before = receiver().on_ack(3, now_);
  ASSERT_TRUE(before && before->size() == 1);
  EXPECT_EQ(before->front().last, 3U);
  EXPECT_THAT(before->front().received, ElementsAre(Stretch{1, 3}));
  const auto behind = receiver().on_ack(7, now_);  // 4, 5, the gap, and the one behind it
  ASSERT_TRUE(behind && behind->size() == 1);
  EXPECT_EQ(behind->front().last, 11U);
  EXPECT_THAT(behind->front().received, ElementsAre(Stretch{4, 5}, Stretch{11, 11}))
      << "6 to 10 were dropped";
  EXPECT_FALSE(receiver().on_ack(100, now_)) << "it was never sent";
}

TEST_F(ReceiverTest, SendsNothingMoreWhenAHoleCannotBeTold) {
  limits_.outbox = {.marks = {.low = 500_B, .high = 1'000_B}, .drop_when_unwritable = false, .hard = 1'000_B};
  give_room(0);
  deliver({.policy = DropPolicy::conflate, .key = "a"});
  for (int i = 0; i < 9; ++i) deliver({.policy = DropPolicy::conflate, .key = std::to_string(i)});
  deliver({.policy = DropPolicy::conflate, .key = "a", .size = 90});  // to the last byte
  EXPECT_EQ(receiver().waiting(), 1'000_B);
  give_room(SIZE_MAX);
  EXPECT_TRUE(hear().empty()) << "the second would come without a word of the first";
  EXPECT_EQ(receiver().verdict(now_), wire::hub::Reason::slow_consumer);
}

TEST_F(ReceiverTest, SendsNothingBehindWhatItHadNoRoomFor) {
  limits_.outbox.hard = 200_B;
  give_room(10);
  deliver({.urgency = Urgency::critical, .size = 500});
  deliver({.urgency = Urgency::critical});
  give_room(SIZE_MAX);
  deliver({.urgency = Urgency::critical});
  EXPECT_EQ(wire_->stream.size(), 10U);
  EXPECT_EQ(receiver().verdict(now_), wire::hub::Reason::slow_consumer);
}

TEST_F(ReceiverTest, WhoTakesEverythingAfterAllWhenItWasTooMuchIsCutAllTheSame) {
  limits_.outbox.hard = 2'000_B;
  give_room(0);
  for (int i = 0; i < 12; ++i) deliver({.policy = DropPolicy::oldest, .size = 66});
  receiver().say(envelopes_.encode({Delivery{.content = {.bytes = std::string(2'000, 'x')}, .request = "r"}}),
                 Receiver::Counts::yes, now_);
  give_room(SIZE_MAX);
  EXPECT_TRUE(hear().empty());
  EXPECT_EQ(receiver().verdict(now_), wire::hub::Reason::slow_consumer);
}

TEST_F(ReceiverTest, WhatBecomesCriticalDoesNotOvertakeItsOwnSource) {
  give_room(100);
  for (int i = 0; i < 12; ++i) deliver({.policy = DropPolicy::oldest, .size = 66});
  deliver({.source = 2});
  receiver().give_up(1, now_);
  deliver({.urgency = Urgency::critical});
  give_room(SIZE_MAX);
  EXPECT_THAT(hear(), ElementsAre("1", "2-12", "13", "1"));
}

// --- what holds whatever happens ---

/// A client of any speed that checks all that it hears, and acknowledges when it likes.
class ReceiverProperty : public ReceiverTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr std::uint64_t kCritical = 4;
  static constexpr std::uint64_t kChanging = 5;  ///< Its route becomes critical, and normal again.
  static constexpr std::size_t kLargest = 300;

  ReceiverProperty() : random_(GetParam()) {
    acknowledges_ = below(3) != 0;
    limits_.window = Bytes{1'500};
    limits_.window_enabled = below(4) != 0;
    receiver({.encoding = wire::hub::Encoding::proto, .acknowledges = acknowledges_});
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  void deliver_something() {
    const std::uint64_t source = 1 + below(5);
    What what{.source = source, .size = below(kLargest)};
    std::uint32_t count = 1 + static_cast<std::uint32_t>(below(4));
    if (source <= 3) what.policy = static_cast<DropPolicy>(source - 1);
    if (what.policy == DropPolicy::conflate) {
      count = 1;
      what.key = below(4) == 0 ? "" : std::string(1, static_cast<char>('a' + below(6)));
    }
    if (source == kCritical || (source == kChanging && changing_is_critical_))
      what.urgency = Urgency::critical;
    for (std::uint32_t i = 1; i <= count && what.urgency == Urgency::critical; ++i)
      critical_[source][next_[source] + i] = normal_heard_;
    deliver(what, count);
  }

  void hear_all() {
    while (const auto message = envelopes_.take(wire_->stream)) {
      if (const auto* const delivery = std::get_if<Delivery>(&*message)) {
        if (delivery->request.empty()) hear(*delivery);
      } else if (const auto* const gap = std::get_if<Gap>(&*message)) {
        hear(*gap);
      } else {
        continue;  // does not count
      }
      marks_.push_back(complete_);
    }
  }
  void hear(const Delivery& delivery) {
    const std::uint64_t source = std::stoull(delivery.to.name);
    const std::uint64_t offset = delivery.position.offset;
    ASSERT_GT(offset, last_[source]) << "order, and nothing twice";
    last_[source] = offset;
    ASSERT_FALSE(gone_[source].contains(offset)) << "it was told as dropped";
    ASSERT_GE(complete_[source] + 1, offset) << "what is before it was not told";
    if (!delivery.critical) {
      normal_heard_ += source == kChanging ? 0 : 1;
    } else {
      ASSERT_LE(normal_heard_, critical_[source].at(offset) + 1) << "it waited behind normal ones";
    }
    note(source, offset, offset);
  }
  void hear(const Gap& gap) {
    const std::uint64_t source = std::stoull(gap.conversation.name);
    ASSERT_LE(gap.count, gap.last - gap.first + 1);
    ASSERT_GE(complete_[source] + 1, gap.first) << "what is before it was not told";
    gapped_ += gap.count;
    for (std::uint64_t offset = gap.first; offset <= gap.last; ++offset) {
      if (gap.count < gap.last - gap.first + 1) continue;
      ASSERT_FALSE(critical_[source].contains(offset)) << "critical messages are never dropped";
      ASSERT_TRUE(gone_[source].insert(offset).second) << "told twice";
      ASSERT_GT(offset, last_[source]) << "told behind what comes behind it";
    }
    note(source, gap.first, gap.last);
  }
  void note(std::uint64_t source, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t offset = first; offset <= last; ++offset) known_[source].insert(offset);
    while (known_[source].contains(complete_[source] + 1)) ++complete_[source];
  }

  void acknowledge() {
    if (!acknowledges_ || marks_.empty()) return;
    acknowledged_ += below(marks_.size() - acknowledged_ + 1);
    const auto processed = receiver().on_ack(acknowledged_, now_);
    ASSERT_TRUE(processed);
    for (const Receiver::Processed& done : *processed)
      ASSERT_LE(done.last, marks_.at(acknowledged_ - 1)[done.source]) << "the mark passes what was not told";
  }

  void change_limits() {
    limits_.window_enabled = below(4) != 0;
    limits_.outbox.marks.high = Bytes{600 + below(3'000)};
    limits_.outbox.marks.low = limits_.outbox.marks.high / 2;
    limits_.outbox.drop_when_unwritable = below(4) != 0;
    receiver().limits_changed(now_);
  }

  std::mt19937 random_;
  bool acknowledges_ = false;
  bool changing_is_critical_ = false;
  std::map<std::uint64_t, std::set<std::uint64_t>> known_;  ///< Delivered or told.
  std::map<std::uint64_t, std::set<std::uint64_t>> gone_;   ///< Told by a gap that names each.
  std::map<std::uint64_t, std::uint64_t> complete_;         ///< Everything up to there is known.
  std::map<std::uint64_t, std::uint64_t> last_;             ///< Delivered.
  /// How many normal ones had been heard when a critical one came.
  std::map<std::uint64_t, std::map<std::uint64_t, std::uint64_t>> critical_;
  std::vector<std::map<std::uint64_t, std::uint64_t>> marks_;  ///< What was complete behind each that counts.
  std::uint64_t normal_heard_ = 0;
  std::uint64_t gapped_ = 0;
  std::uint64_t acknowledged_ = 0;
};

TEST_P(ReceiverProperty, EverySourceIsHeardInOrderWithEveryHoleToldInItsPlace) {
  for (int step = 0; step < 1'500 && !HasFatalFailure(); ++step) {
    now_ += std::chrono::milliseconds{below(5)};
    switch (below(12)) {
      case 0:
        give_room(below(2'000));
        break;
      case 1:
        if (below(4) == 0) give_room(SIZE_MAX);
        break;
      case 2:
      case 3:
        acknowledge();
        break;
      case 4:
        if (below(10) == 0) (void)receiver().shed(now_);
        break;
      case 5:
        if (below(10) == 0) change_limits();
        break;
      case 6:
        if (below(10) != 0) break;
        changing_is_critical_ = !changing_is_critical_;
        if (changing_is_critical_) receiver().give_up(kChanging, now_);
        break;
      case 7:
        receiver().say(envelopes_.encode({wire::hub::Pong{}}), Receiver::Counts::no, now_);
        break;
      case 8:
        receiver().say(envelopes_.encode({Delivery{.request = "r"}}), Receiver::Counts::yes, now_);
        break;
      default:
        deliver_something();
    }
    hear_all();
    ASSERT_TRUE(books_.balance(receiver().pending_copies())) << "step " << step;
    ASSERT_LE(receiver().waiting(), limits_.outbox.hard);
    ASSERT_EQ(account_->stats().held, receiver().waiting());
    ASSERT_EQ(receiver().verdict(now_), std::nullopt);
  }
  limits_.outbox.drop_when_unwritable = true;
  receiver().limits_changed(now_);
  for (int round = 0; round < 1'000 && receiver().is_slow(); ++round) {
    give_room(SIZE_MAX);
    hear_all();
    acknowledge();
  }
  hear_all();
  for (const auto& [source, last] : next_) EXPECT_EQ(complete_[source], last) << "of source " << source;
  EXPECT_EQ(gapped_, books_.gapped);
  EXPECT_EQ(receiver().pending_copies(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReceiverProperty, ::testing::Range(1U, 101U));

}  // namespace
}  // namespace sluice::hub
