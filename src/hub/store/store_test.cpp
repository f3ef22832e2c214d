#include "hub/store/store.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <signal.h>
#include <stdlib.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hub/store/device_marks.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/sqlite.hpp"
#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace literals;
using testing::group;
using testing::inbox;
using testing::message;
using testing::Outcomes;
using testing::TemporaryFolder;

constexpr Retention kEverything{
    .age = std::chrono::milliseconds::max(), .count = UINT64_MAX, .bytes = Bytes::max()};
constexpr PageLimits kLarge{.messages = 10'000, .bytes = 64_MiB};

class StoreTest : public ::testing::Test {
 protected:
  StoreOptions options() {
    return {.folder = folder.store(),
            .on_stored = outcomes.listener(),
            .clocks = [this] { return clocks(); },
            .grace = {}};
  }
  void open(StoreOptions with) {
    store.reset();
    auto opened = Store::open(std::move(with));
    ASSERT_TRUE(opened) << describe(opened.error());
    store = std::move(*opened);
  }
  void open() { open(options()); }

  /// The ticket of an append that was taken.
  std::uint64_t begin(std::shared_ptr<const wire::hub::Delivery> what, UnixMs expires_at = 0,
                      std::uint32_t shard = 0) {
    const auto taken = store->append(
        {.shard = shard, .ticket = ++ticket, .message = std::move(what), .expires_at = expires_at});
    EXPECT_TRUE(taken) << describe(taken.error());
    return ticket;
  }
  Status put(std::shared_ptr<const wire::hub::Delivery> what, UnixMs expires_at = 0) {
    return outcomes.of(begin(std::move(what), expires_at));
  }
  void put_all(const Conversation& to, std::uint64_t first, std::uint64_t last,
               const std::string& content = "text") {
    for (std::uint64_t offset = first; offset <= last; ++offset) begin(message(to, at(offset), content));
    const Status outcome = outcomes.of(ticket);
    ASSERT_TRUE(outcome) << describe(outcome.error());
  }
  Position at(std::uint64_t offset) const { return {.epoch = store->epoch(), .offset = offset}; }

  std::vector<std::uint64_t> offsets(const Conversation& of, Span span = {}) {
    auto reader = store->open_reader();
    EXPECT_TRUE(reader) << describe(reader.error());
    const auto page = reader->page(of, span, kLarge);
    EXPECT_TRUE(page) << describe(page.error());
    std::vector<std::uint64_t> found;
    for (const StoredMessage& stored : page->messages) found.push_back(stored.delivery.position.offset);
    return found;
  }
  /// Waits until that many were removed for that reason.
  void wait_removed(Removal why, std::uint64_t count) {
    const auto deadline = Clock::now() + std::chrono::seconds{60};
    while (store->books().removed_for(why) < count && Clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(store->books().removed_for(why), count);
  }
  void expect_books() {
    const auto checked = store->check_books();
    EXPECT_TRUE(checked) << describe(checked.error());
  }

  TemporaryFolder folder;
  Outcomes outcomes;
  /// Time that goes by.
  [[nodiscard]] ClockReading clocks() const {
    return {.wall = now.load() + set.load(), .elapsed = std::chrono::milliseconds{now.load()}};
  }

  std::atomic<UnixMs> now = 1'000'000;
  std::atomic<UnixMs> set = 0;  ///< How far the wall clock is off.
  std::uint64_t ticket = 0;
  std::unique_ptr<Store> store;
};

TEST_F(StoreTest, GivesBackWhatWasStoredWithAllItsFields) {
  open();
  const wire::hub::Delivery sent{
      .from = "alice",
      .to = inbox("bob"),
      .id = "id-1",
      .position = at(7),
      .sent_at = 999'999,
      .content = {.kind = wire::hub::Content::Kind::data, .bytes = std::string("\0\xff", 2)},
      .key = "price",
      .critical = true};
  ASSERT_TRUE(put(std::make_shared<wire::hub::Delivery>(sent), 2'000'000));
  auto reader = store->open_reader();
  ASSERT_TRUE(reader);
  const auto page = reader->page(inbox("bob"), {}, kLarge);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->messages.size(), 1U);
  EXPECT_EQ(page->messages[0].delivery, sent);
  EXPECT_EQ(page->messages[0].expires_at, 2'000'000);
  EXPECT_EQ(page->first, at(7));
  EXPECT_FALSE(page->more);
  EXPECT_EQ(reader->head(inbox("bob")).value(), at(7));
  EXPECT_TRUE(offsets(group("bob")).empty()) << "a group of that name is another conversation";
  expect_books();
}

TEST_F(StoreTest, AppendsWaitForEachOtherWhereTheyMay) {
  StoreOptions with = options();
  with.gather = std::chrono::hours{1};
  open(std::move(with));
  for (std::uint64_t offset = 1; offset <= 3; ++offset) begin(message(group("g"), at(offset)));
  store.reset();
  EXPECT_EQ(outcomes.order(0), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(outcomes.calls(), 1U) << "they shared the commit of the end";
}

TEST_F(StoreTest, AppendsThatFillACommitWaitForNoMore) {
  StoreOptions with = options();
  with.gather = std::chrono::hours{1};
  open(std::move(with));
  put_all(group("g"), 1, limits::kCommitMessages);
  EXPECT_EQ(outcomes.calls(), 1U);
  begin(message(group("g"), at(limits::kCommitMessages + 1)));
  EXPECT_EQ(outcomes.count(), limits::kCommitMessages) << "this one waits again";
}

TEST_F(StoreTest, AnAppendWaitsForOthersNoLongerThanItMay) {
  StoreOptions with = options();
  with.gather = std::chrono::milliseconds{1};
  open(std::move(with));
  EXPECT_TRUE(put(message(group("g"), at(1))));
  EXPECT_TRUE(put(message(group("g"), at(2))));
}

TEST_F(StoreTest, KeepsEmptyTextsAndContents) {
  open();
  const wire::hub::Delivery sent{.from = "a", .to = {}, .id = "", .position = at(1), .sent_at = 1'000'000};
  ASSERT_TRUE(put(std::make_shared<wire::hub::Delivery>(sent)));
  auto reader = store->open_reader();
  EXPECT_EQ(reader->page({}, {}, kLarge)->messages.at(0).delivery, sent);
}

TEST_F(StoreTest, TellsEachShardOfItsOwnInOrder) {
  open();
  for (std::uint64_t offset = 1; offset <= 100; ++offset) {
    begin(message(group("even"), at(offset)), 0, 0);
    begin(message(group("odd"), at(offset)), 0, 1);
  }
  ASSERT_TRUE(outcomes.of(ticket));
  ASSERT_TRUE(outcomes.of(ticket - 1));
  ASSERT_EQ(outcomes.order(0).size(), 100U);
  ASSERT_EQ(outcomes.order(1).size(), 100U);
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(outcomes.order(0)[i], 2 * i + 1);
    EXPECT_EQ(outcomes.order(1)[i], 2 * i + 2);
  }
  EXPECT_EQ(store->books().committed, 200U);
}

TEST_F(StoreTest, CommitsTogetherWhatComesDuringACommit) {
  std::promise<void> release;
  auto with = options();
  bool held = false;
  with.on_stored = [&, listener = outcomes.listener()](std::uint32_t shard,
                                                       std::vector<Completion> completions) {
    if (!std::exchange(held, true)) release.get_future().wait();
    listener(shard, std::move(completions));
  };
  open(with);
  begin(message(group("g"), at(1)));
  while (store->books().committed == 0) std::this_thread::yield();
  for (std::uint64_t offset = 2; offset <= 400; ++offset) begin(message(group("g"), at(offset)));
  release.set_value();
  ASSERT_TRUE(outcomes.of(400));
  EXPECT_EQ(store->books().commits, 2U);
  EXPECT_EQ(outcomes.calls(), 2U);
}

TEST_F(StoreTest, RefusesWhatItsQueueHasNoRoomFor) {
  std::promise<void> release;
  auto with = options();
  with.queue = {.messages = 2, .bytes = 1_MiB};
  bool held = false;
  with.on_stored = [&, listener = outcomes.listener()](std::uint32_t shard,
                                                       std::vector<Completion> completions) {
    if (!std::exchange(held, true)) release.get_future().wait();
    listener(shard, std::move(completions));
  };
  open(with);
  begin(message(group("g"), at(1)));
  while (store->books().committed == 0) std::this_thread::yield();
  begin(message(group("g"), at(2)));
  begin(message(group("g"), at(3)));
  const auto refused = store->append({.ticket = 99, .message = message(group("g"), at(4))});
  release.set_value();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_TRUE(outcomes.of(3));
  EXPECT_EQ(store->books().refused_full, 1U);
  expect_books();
}

TEST_F(StoreTest, RefusesAMessageThatIsNotBehindTheHeadAlone) {
  open();
  ASSERT_TRUE(put(message(group("g"), at(5))));
  const auto same = begin(message(group("g"), at(5)));
  const auto earlier = begin(message(group("g"), at(4)));
  const auto older_epoch = begin(message(group("g"), {.epoch = store->epoch() - 1, .offset = 9}));
  const auto next = begin(message(group("g"), at(6)));
  EXPECT_TRUE(outcomes.of(next));
  for (const std::uint64_t refused : {same, earlier, older_epoch}) {
    const Status outcome = outcomes.of(refused);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::invalid_argument);
  }
  EXPECT_EQ(offsets(group("g")), (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(store->books().failed, 3U);
  expect_books();
}

TEST_F(StoreTest, BeginsAnEpochWithEveryOpeningAndKeepsItsMessages) {
  open();
  const std::uint64_t first = store->epoch();
  put_all(group("g"), 1, 3);
  open();
  EXPECT_GT(store->epoch(), first);
  EXPECT_EQ(store->open_reader()->head(group("g")).value(), (Position{.epoch = first, .offset = 3}));
  put_all(group("g"), 4, 5);
  EXPECT_EQ(offsets(group("g")), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  // A client that has seen what the first run had numbered and not stored still gets the second run's
  // messages.
  EXPECT_EQ(offsets(group("g"), {.after = {.epoch = first, .offset = 9}}),
            (std::vector<std::uint64_t>{4, 5}));
  expect_books();
}

TEST_F(StoreTest, KnowsTheEpochsThatItHadAndWhereEachBeganInAConversation) {
  open();
  const std::uint64_t first = store->epoch();
  put_all(group("g"), 1, 3);
  open();  // nothing is stored there in this one
  const std::uint64_t second = store->epoch();
  put_all(group("h"), 1, 1);
  open();
  const std::uint64_t third = store->epoch();
  put_all(group("g"), 6, 7);  // 4 and 5 were numbered and could not be stored
  auto reader = store->open_reader();
  EXPECT_EQ(reader->history(group("g")).value(), (std::vector<Position>{{first, 1}, {third, 4}}));
  EXPECT_EQ(reader->history(group("h")).value(), (std::vector<Position>{{second, 1}}));
  EXPECT_EQ(reader->history(group("none")).value(), std::vector<Position>{});
  for (const std::uint64_t ours : {first, second, third}) EXPECT_TRUE(reader->knows(ours));
  EXPECT_FALSE(reader->knows(third + 1));
}

TEST_F(StoreTest, NumbersTheRunsOfAStoreThatKeepsNothingLikeNoOther) {
  StoreOptions with = options();
  with.folder = kInMemory;
  with.clocks = system_clocks;
  open(with);
  const std::uint64_t first = store->epoch();
  open(with);
  EXPECT_NE(store->epoch(), first);
  EXPECT_FALSE(store->open_reader()->knows(first));
}

TEST_F(StoreTest, ARestoredBackupDoesNotKnowWhatCameAfterIt) {
  open();
  put_all(group("g"), 1, 3);
  store.reset();
  const auto backup = folder.path() / "backup";
  std::filesystem::copy(folder.store(), backup, std::filesystem::copy_options::recursive);
  open();
  const std::uint64_t later = store->epoch();
  put_all(group("g"), 4, 9);
  store.reset();
  std::filesystem::remove_all(folder.store());
  std::filesystem::rename(backup, folder.store());
  open();
  EXPECT_NE(store->epoch(), later);
  EXPECT_FALSE(store->open_reader()->knows(later));
  EXPECT_EQ(store->open_reader()->head(group("g"))->offset, 3U);
}

TEST_F(StoreTest, CommitsWhatWaitsBeforeItCloses) {
  open();
  for (std::uint64_t offset = 1; offset <= 3'000; ++offset) begin(message(group("g"), at(offset)));
  store.reset();
  EXPECT_EQ(outcomes.count(), 3'000U);
  open();
  EXPECT_EQ(offsets(group("g")).size(), 3'000U);
}

TEST_F(StoreTest, PagesEndAtTheirLimitsAndAtTheStretch) {
  open();
  put_all(group("g"), 1, 10, std::string(100, 'x'));
  auto reader = store->open_reader();
  const auto by_count = reader->page(group("g"), {.after = at(2)}, {.messages = 3, .bytes = 1_MiB});
  ASSERT_EQ(by_count->messages.size(), 3U);
  EXPECT_EQ(by_count->messages[0].delivery.position, at(3));
  EXPECT_TRUE(by_count->more);
  const auto by_bytes = reader->page(group("g"), {}, {.messages = 100, .bytes = 250_B});
  EXPECT_EQ(by_bytes->messages.size(), 2U);
  EXPECT_TRUE(by_bytes->more);
  const auto one = reader->page(group("g"), {}, {.messages = 100, .bytes = 1_B});
  EXPECT_EQ(one->messages.size(), 1U) << "or nobody would ever get on";
  const auto last = reader->page(group("g"), {.after = at(8)}, {.messages = 2, .bytes = 1_MiB});
  EXPECT_EQ(last->messages.size(), 2U);
  EXPECT_FALSE(last->more);
  EXPECT_EQ(offsets(group("g"), {.after = at(3), .last = at(6)}), (std::vector<std::uint64_t>{4, 5, 6}));
  const auto stretch = reader->page(group("g"), {.after = at(3), .last = at(6)}, kLarge);
  EXPECT_FALSE(stretch->more);
}

TEST_F(StoreTest, SaysOfWhatItNeverHadThatItBeginsNow) {
  open();
  auto reader = store->open_reader();
  EXPECT_EQ(reader->head(inbox("nobody")).value(), at(0));
  EXPECT_EQ(reader->acknowledged(inbox("nobody")).value(), Position{});
  const auto page = reader->page(inbox("nobody"), {}, kLarge);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->messages.empty());
  EXPECT_EQ(page->first, at(1));
}

TEST_F(StoreTest, RemovesWhatWasAcknowledgedAndRemembersIt) {
  open();
  put_all(inbox("bob"), 1, 5);
  put_all(inbox("carol"), 1, 5);
  store->acknowledge(inbox("bob"), at(3));
  store->acknowledge(inbox("bob"), at(2));
  auto reader = store->open_reader();
  EXPECT_EQ(reader->acknowledged(inbox("bob")).value(), at(3))
      << "at once, whether it is stored already or not";
  wait_removed(Removal::acknowledged, 3);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{4, 5}));
  EXPECT_EQ(offsets(inbox("carol")).size(), 5U);
  EXPECT_EQ(reader->page(inbox("bob"), {}, kLarge)->first, at(4));
  const Position mark = at(3);
  open();
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob")).value(), mark);
  expect_books();
}

TEST_F(StoreTest, KeepsWhatWasAcknowledgedForAWhile) {
  StoreOptions with = options();
  with.grace = std::chrono::minutes{5};
  open(std::move(with));
  put_all(inbox("bob"), 1, 5);
  const std::uint64_t before = store->books().commits;
  store->acknowledge(inbox("bob"), at(3));
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->books().commits == before && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(store->books().acknowledgements, 1U);
  EXPECT_EQ(offsets(inbox("bob")).size(), 5U);
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob")).value(), at(3)) << "a new session begins there";
  now = now + 5 * 60'000;
  wait_removed(Removal::acknowledged, 3);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{4, 5}));
  expect_books();
}

TEST_F(StoreTest, RemembersAnAcknowledgementThatWaitedWhenItClosed) {
  open();
  put_all(inbox("bob"), 1, 5);
  const Position mark = at(4);
  store->acknowledge(inbox("bob"), mark);
  open();
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob")).value(), mark);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{5}));
}

TEST_F(StoreTest, KeepsForADeviceWhatAnotherHasAcknowledged) {
  open();
  put_all(inbox("bob"), 1, 5);
  store->acknowledge(inbox("bob"), at(1), "phone");
  store->acknowledge(inbox("bob"), at(4), "laptop");
  wait_removed(Removal::acknowledged, 1);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{2, 3, 4, 5})) << "the phone has not got them";
  auto reader = store->open_reader();
  EXPECT_EQ(reader->acknowledged(inbox("bob"), "phone").value(), at(1));
  EXPECT_EQ(reader->acknowledged(inbox("bob"), "laptop").value(), at(4));
  EXPECT_EQ(reader->acknowledged(inbox("bob"), "tablet").value(), at(1)) << "in front of all that is kept";
  EXPECT_EQ(reader->acknowledged(inbox("bob")).value(), at(1)) << "what all have done with";
  const Position phone = at(1);
  const Position laptop = at(4);
  open();
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob"), "phone").value(), phone);
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob"), "laptop").value(), laptop);
  store->acknowledge(inbox("bob"), laptop, "phone");
  wait_removed(Removal::acknowledged, 3);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{5}));
  expect_books();
}

TEST_F(StoreTest, KnowsADeviceBeforeThereIsAnyMessage) {
  open();
  store->acknowledge(inbox("bob"), at(0), "phone");
  put_all(inbox("bob"), 1, 3);
  store->acknowledge(inbox("bob"), at(3), "laptop");
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->books().acknowledgements < 2 && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(offsets(inbox("bob")).size(), 3U);
  EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob"), "phone").value(), at(0));
  expect_books();
}

TEST_F(StoreTest, TakesClientsWithoutADeviceForOneMoreOnceThereIsOne) {
  open();
  put_all(inbox("bob"), 1, 5);
  store->acknowledge(inbox("bob"), at(2));
  wait_removed(Removal::acknowledged, 2);
  store->acknowledge(inbox("bob"), at(5), "phone");
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->books().acknowledgements < 2 && Clock::now() < deadline) std::this_thread::yield();
  auto reader = store->open_reader();
  EXPECT_EQ(reader->acknowledged(inbox("bob")).value(), at(2)) << "their mark stays where it was";
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{3, 4, 5}));
  store->acknowledge(inbox("bob"), at(4));
  wait_removed(Removal::acknowledged, 4);
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{5}));
  expect_books();
}

TEST_F(StoreTest, IsNotHeldUpByADeviceThatDoesNotComeBack) {
  StoreOptions with = options();
  with.retention = [](const Conversation&) { return kEverything; };
  open(std::move(with));
  put_all(inbox("bob"), 1, 5);
  store->acknowledge(inbox("bob"), at(1), "lost");
  store->acknowledge(inbox("bob"), at(5), "phone");
  wait_removed(Removal::acknowledged, 1);
  ASSERT_EQ(offsets(inbox("bob")).size(), 4U);
  now = now + DeviceMarks::kForgottenAfter.count();
  put_all(inbox("bob"), 6, 6);
  store->acknowledge(inbox("bob"), at(6), "phone");
  wait_removed(Removal::acknowledged, 6);
  EXPECT_TRUE(offsets(inbox("bob")).empty());
  expect_books();
}

TEST_F(StoreTest, RemovesInSlicesWhatIsTooMuchForOne) {
  open();
  put_all(inbox("bob"), 1, 3'000);
  store->acknowledge(inbox("bob"), at(2'900));
  wait_removed(Removal::acknowledged, 2'900);
  EXPECT_GE(store->books().commits, 3U + 2'900U / limits::kRemovalSlice);
  EXPECT_EQ(offsets(inbox("bob")).front(), 2'901U);
  expect_books();
}

TEST_F(StoreTest, ExpiresNothingWhenTheWallClockIsSet) {
  auto with = options();
  with.retention = [](const Conversation&) {
    return Retention{.age = std::chrono::hours{24 * 7}, .count = 1'000, .bytes = 1_MiB};
  };
  open(with);
  put_all(group("g"), 1, 3);
  ASSERT_TRUE(put(message(group("g"), at(4)), store->time() + 60'000));
  constexpr UnixMs k8Days = 8 * 24 * 3'600'000;
  for (const UnixMs off : {k8Days, UnixMs{0}, -k8Days}) {
    set = off;
    now = now + 2'500;
    // A commit looks for what has expired.
    ASSERT_TRUE(put(message(group("h"), at(store->books().committed + 1))));
    EXPECT_EQ(offsets(group("g")).size(), 4U) << off;
  }
  EXPECT_EQ(store->time(), 1'007'500) << "it goes on evenly";
  now = now + 60'000;
  wait_removed(Removal::expired, 1);
  // From run to run as well.
  for (const UnixMs off : {k8Days, -k8Days, UnixMs{0}}) {
    store.reset();
    set = off;
    now = now + 1'000;
    open(with);
    ASSERT_TRUE(put(message(group("i"), {.epoch = store->epoch(), .offset = store->books().rows})));
    EXPECT_EQ(offsets(group("g")).size(), 3U) << off;
  }
  EXPECT_EQ(store->books().removed_for(Removal::expired), 0U);
}

TEST_F(StoreTest, RemembersIdsFromRunToRunWhateverBecameOfTheirMessages) {
  auto with = options();
  with.retention = [](const Conversation&) {
    return Retention{.age = std::chrono::hours{1}, .count = 2, .bytes = 1_MiB};
  };
  open(with);
  const auto store_with_id = [&](std::uint64_t offset) {
    IdPrint print{.sender = 1, .conversation = 2};
    print.message[0] = static_cast<std::byte>(offset);
    ASSERT_TRUE(
        store->append({.ticket = ++ticket, .message = message(group("g"), at(offset)), .print = print}));
    ASSERT_TRUE(outcomes.of(ticket));
  };
  for (std::uint64_t offset = 1; offset <= 5; ++offset) store_with_id(offset);
  ASSERT_FALSE(put(message(group("g"), at(3)))) << "not behind the head";
  const Position first = at(1);
  EXPECT_EQ(offsets(group("g")).size(), 2U) << "three were trimmed";
  store.reset();
  now = now + 23 * 3'600'000;  // a stop does not count
  open(with);
  const auto remembered = store->remembered();
  ASSERT_TRUE(remembered) << describe(remembered.error());
  ASSERT_EQ(remembered->size(), 5U);
  EXPECT_EQ(remembered->front().id.position, first);
  EXPECT_EQ(remembered->front().id.print.message[0], std::byte{1});
  EXPECT_LE(remembered->front().age, std::chrono::seconds{1});
  now = now + 400'000;
  store_with_id(6);
  open(with);
  EXPECT_EQ(store->remembered()->size(), 1U) << "the others are old by now";
}

TEST_F(StoreTest, RemovesWhatHasExpiredAndTellsWhereTheRestBegins) {
  auto with = options();
  with.retention = [](const Conversation&) {
    return Retention{.age = std::chrono::seconds{100}, .count = 1'000, .bytes = 1_MiB};
  };
  open(with);
  put_all(group("g"), 1, 2);
  ASSERT_TRUE(put(message(group("g"), at(3)), 1'050'000));
  now = 1'055'000;
  wait_removed(Removal::expired, 1);
  ASSERT_TRUE(put(message(group("g"), at(4))));
  EXPECT_EQ(offsets(group("g")), (std::vector<std::uint64_t>{1, 2, 4})) << "its own time was shorter";
  now = 1'100'000;
  wait_removed(Removal::expired, 3);
  auto reader = store->open_reader();
  EXPECT_EQ(reader->page(group("g"), {}, kLarge)->first, at(4));
  now = 1'200'000;
  wait_removed(Removal::expired, 4);
  EXPECT_EQ(reader->page(group("g"), {}, kLarge)->first, at(5)) << "behind the last ever";
  EXPECT_EQ(reader->head(group("g")).value(), at(4));
  EXPECT_EQ(store->books().removed[static_cast<std::size_t>(Conversation::Kind::group)]
                                  [static_cast<std::size_t>(Removal::expired)],
            4U);
  expect_books();
}

TEST_F(StoreTest, KeepsTheLastOfAConversationWithinItsCountAndBytes) {
  auto with = options();
  with.retention = [](const Conversation& of) {
    return Retention{.age = std::chrono::hours{1},
                     .count = of.kind == Conversation::Kind::user ? 5U : 1'000U,
                     .bytes = of.kind == Conversation::Kind::group ? 10_KiB : 1_MiB};
  };
  open(with);
  put_all(inbox("bob"), 1, 20);
  put_all(group("g"), 1, 20, std::string(1'000, 'x'));
  EXPECT_EQ(offsets(inbox("bob")), (std::vector<std::uint64_t>{16, 17, 18, 19, 20}));
  EXPECT_EQ(offsets(group("g")).size(), 9U) << "nine of 1,000 bytes and their overhead";
  expect_books();
}

TEST_F(StoreTest, EvictsTheOldestOfAllBeforeItsFileIsTooLarge) {
  auto with = options();
  with.bound = 1_MiB;
  open(with);
  for (std::uint64_t offset = 1; offset <= 200; ++offset) {
    begin(message(group("a"), at(offset), std::string(20'000, 'a')));
    begin(message(group("b"), at(offset), std::string(20'000, 'b')));
  }
  ASSERT_TRUE(outcomes.of(ticket));
  put_all(group("a"), 201, 201);
  EXPECT_GT(store->books().removed_for(Removal::evicted), 300U);
  EXPECT_EQ(offsets(group("a")).back(), 201U);
  EXPECT_EQ(offsets(group("b")).back(), 200U);
  EXPECT_GT(offsets(group("b")).size(), 15U) << "no more than must be";
  expect_books();
  store.reset();
  EXPECT_LT(std::filesystem::file_size(folder.database()), 4 * (1U << 20U));
}

TEST_F(StoreTest, KeepsMoreOnceItsBoundIsRaised) {
  auto with = options();
  with.bound = 1_MiB;
  with.retention = [](const Conversation&) { return kEverything; };
  open(with);
  for (std::uint64_t offset = 1; offset <= 200; offset += 20)
    put_all(group("a"), offset, offset + 19, std::string(50'000, 'a'));
  const std::uint64_t evicted = store->books().removed_for(Removal::evicted);
  EXPECT_GT(evicted, 150U);
  store->set_bound(64_MiB);
  for (std::uint64_t offset = 1; offset <= 800; offset += 20)
    put_all(group("b"), offset, offset + 19, std::string(50'000, 'b'));
  EXPECT_EQ(offsets(group("b")).size(), 800U) << "40 MB, more than the old bound and its slack";
  EXPECT_EQ(store->books().removed_for(Removal::evicted), evicted);
  expect_books();
}

TEST_F(StoreTest, EvictsWhatIsTooMuchOnceItsBoundIsLowered) {
  auto with = options();
  with.bound = 64_MiB;
  with.retention = [](const Conversation&) { return kEverything; };
  open(with);
  for (std::uint64_t offset = 1; offset <= 800; offset += 20)
    put_all(group("a"), offset, offset + 19, std::string(50'000, 'a'));
  EXPECT_EQ(store->books().rows, 800U);
  store->set_bound(1_MiB);
  put_all(group("b"), 1, 100, std::string(50'000, 'b'));  // while the first slices go, in a file of 40 MB
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->books().rows > 25 && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_LE(store->books().rows, 25U) << "messages of 50 KB in 1 MiB";
  EXPECT_EQ(offsets(group("b")).back(), 100U) << "the newest are there";
  EXPECT_EQ(offsets(group("a")).size(), 0U);
  EXPECT_EQ(store->books().failed, 0U);
  put_all(group("b"), 101, 110);
  expect_books();
  store->set_bound(2_MiB);
  put_all(group("b"), 111, 150, std::string(50'000, 'b'));
  EXPECT_GT(offsets(group("b")).size(), 25U) << "and there may be more again";
  expect_books();
}

TEST_F(StoreTest, MovesItsLogIntoTheFileBeforeItIsLong) {
  auto with = options();
  with.retention = [](const Conversation&) { return kEverything; };
  open(with);
  const auto reader = store->open_reader();  // one that is idle holds nothing up
  for (std::uint64_t offset = 1; offset <= 800; offset += 100)
    put_all(group("g"), offset, offset + 99, std::string(50'000, 'x'));
  EXPECT_LT(std::filesystem::file_size(folder.database().string() + "-wal"), 24 * (1U << 20U));
  EXPECT_EQ(offsets(group("g")).size(), 800U) << "40 MB, and no age that could end";
}

TEST_F(StoreTest, ForgetsTheLongestUnusedEmptyConversationsAndNeverGoesBack) {
  auto with = options();
  with.conversations = 3;
  open(with);
  put_all(inbox("old"), 1, 50);
  store->acknowledge(inbox("old"), at(50));
  wait_removed(Removal::acknowledged, 50);
  for (const char* user : {"a", "b", "c"}) put_all(inbox(user), 1, 1);
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->books().forgotten == 0 && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(store->books().forgotten, 1U);
  auto reader = store->open_reader();
  EXPECT_EQ(reader->head(inbox("old")).value(), at(50)) << "goes on behind all that were forgotten";
  EXPECT_EQ(reader->head(inbox("a")).value(), at(1));
  const Position none{.epoch = 0, .offset = 50};
  EXPECT_EQ(reader->acknowledged(inbox("old")).value(), none) << "nothing of it was missed";
  ASSERT_TRUE(put(message(inbox("old"), at(51))));
  EXPECT_EQ(reader->acknowledged(inbox("old")).value(), none);
  EXPECT_EQ(offsets(inbox("c")).size(), 1U) << "one with messages is not forgotten";
  expect_books();
}

TEST_F(StoreTest, MakesEachSecretOnce) {
  open();
  const auto first = store->secret("session");
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_TRUE(store->secret("session").value() == *first);
  EXPECT_FALSE(store->secret("other").value() == *first);
  open();
  EXPECT_TRUE(store->secret("session").value() == *first);
}

TEST_F(StoreTest, KeepsItsFilesFromOtherUsers) {
  open();
  put_all(group("g"), 1, 1);
  for (const auto& entry : std::filesystem::directory_iterator{folder.store()}) {
    struct stat about{};
    ASSERT_EQ(::stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U) << entry.path();
  }
}

TEST_F(StoreTest, InMemoryLeavesNothingBehind) {
  const auto sluice_folders = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::temp_directory_path()})
      count += entry.path().filename().string().starts_with("sluice-hub-") ? 1U : 0U;
    return count;
  };
  ::setenv("TMPDIR", folder.path().c_str(), 1);
  auto with = options();
  with.folder = kInMemory;
  open(with);
  put_all(group("g"), 1, 10);
  EXPECT_EQ(offsets(group("g")).size(), 10U);
  EXPECT_EQ(sluice_folders(), 1U);
  store.reset();
  EXPECT_EQ(sluice_folders(), 0U);
  ::unsetenv("TMPDIR");
}

// --- what it cannot open ---

Errc code_of_opening(StoreOptions options) {
  const auto opened = Store::open(std::move(options));
  EXPECT_FALSE(opened);
  if (opened) return Errc::cancelled;
  EXPECT_GT(describe(opened.error()).size(), 20U);
  return opened.error().code;
}

TEST_F(StoreTest, LeavesAFolderToTheHubThatHasIt) {
  open();
  const auto second = Store::open(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos)
      << second.error().message;
  put_all(group("g"), 1, 1);
}

TEST_F(StoreTest, RefusesWhatIsNoDatabase) {
  std::filesystem::create_directory(folder.store());
  std::ofstream{folder.database()} << std::string(10'000, 'x');
  EXPECT_EQ(code_of_opening(options()), Errc::permission_denied) << "others may read it";
  using std::filesystem::perms;
  std::filesystem::permissions(folder.database(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(code_of_opening(options()), Errc::malformed);
}

TEST_F(StoreTest, RefusesAnotherProgramsDatabaseAndALaterVersions) {
  open();
  store.reset();
  const auto pragma_is = [&](const std::string& pragma) {
    auto database = sqlite::Database::open(folder.database(), sqlite::Database::Access::read_write);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("PRAGMA " + pragma));
  };
  pragma_is("user_version = 99");
  EXPECT_EQ(code_of_opening(options()), Errc::unsupported);
  pragma_is("application_id = 1");
  EXPECT_EQ(code_of_opening(options()), Errc::malformed);
}

TEST_F(StoreTest, RefusesADamagedFile) {
  open();
  put_all(group("g"), 1, 2'000, std::string(100, 'x'));
  store.reset();
  {
    std::fstream file{folder.database(), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(20 * 4096);
    file << std::string(40 * 4096, '\xa5');
  }
  EXPECT_EQ(code_of_opening(options()), Errc::malformed);
}

TEST_F(StoreTest, RefusesAFolderThatItCannotUse) {
  auto with = options();
  with.folder = folder.path() / "absent" / "store";
  EXPECT_EQ(code_of_opening(with), Errc::not_found);
  std::ofstream{folder.path() / "file"} << "x";
  with.folder = folder.path() / "file" / "store";
  EXPECT_EQ(code_of_opening(with), Errc::not_found);
  with.folder = "/sys/kernel";  // takes no files, whoever asks
  EXPECT_EQ(code_of_opening(with), Errc::permission_denied);
}

TEST_F(StoreTest, RefusesABoundThatItsOwnTablesWouldFill) {
  auto with = options();
  with.bound = 100_KiB;
  EXPECT_EQ(code_of_opening(with), Errc::invalid_argument);
}

// --- a disk that is full ---

/// No file of this process grows beyond that, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(Bytes limit) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    struct rlimit now = before_;
    now.rlim_cur = limit.count();
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  struct rlimit before_{};
};

TEST_F(StoreTest, FailsWhatTheDiskHasNoRoomForAndGoesOnWhenThereIsSome) {
  open();
  put_all(group("g"), 1, 100);
  std::uint64_t refused = 0;
  {
    const FileSizeLimit limit{100_KiB};
    const Status outcome = put(message(group("g"), at(101), std::string(200'000, 'x')));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(store->health().failing);
    const auto at_once = store->append({.ticket = 999, .message = message(group("g"), at(102))});
    ASSERT_FALSE(at_once) << "so soon after a failure it does not try again";
    EXPECT_EQ(at_once.error().code, Errc::io);
    ++refused;
    EXPECT_EQ(offsets(group("g")).size(), 100U) << "what is stored can be read";
  }
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  for (;;) {
    ASSERT_LT(Clock::now(), deadline);
    if (store->append({.ticket = ++ticket, .message = message(group("g"), at(103))})) break;
    ++refused;
    std::this_thread::yield();
  }
  EXPECT_TRUE(outcomes.of(ticket));
  EXPECT_FALSE(store->health().failing);
  EXPECT_EQ(store->health().failures, 0U);
  EXPECT_EQ(offsets(group("g")).back(), 103U);
  const Books books = store->books();
  EXPECT_EQ(books.failed, 1U);
  EXPECT_EQ(books.refused_broken, refused);
  expect_books();
}

TEST_F(StoreTest, FindsOutByItselfThatTheDiskHasRoomAgain) {
  open();
  {
    const FileSizeLimit limit{100_KiB};
    ASSERT_FALSE(put(message(group("g"), at(1), std::string(200'000, 'x'))));
  }
  const auto deadline = Clock::now() + std::chrono::seconds{60};
  while (store->health().failing && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_FALSE(store->health().failing);
}

TEST_F(StoreTest, KeepsAcknowledgementsThatCouldNotBeStored) {
  open();
  put_all(inbox("bob"), 1, 3);
  {
    const FileSizeLimit limit{0_B};
    store->acknowledge(inbox("bob"), at(2));
    const auto deadline = Clock::now() + std::chrono::seconds{60};
    while (!store->health().failing && Clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(store->health().failing);
    EXPECT_EQ(store->open_reader()->acknowledged(inbox("bob")).value(), at(2));
  }
  wait_removed(Removal::acknowledged, 2);
}

TEST_F(StoreTest, FailsWhatWaitsWhenItClosesOnAFullDisk) {
  open();
  put_all(group("g"), 1, 1);
  {
    const FileSizeLimit limit{0_B};
    for (std::uint64_t offset = 2; offset <= 50; ++offset) {
      if (store->append({.ticket = ++ticket, .message = message(group("g"), at(offset))})) continue;
      --ticket;
    }
    store.reset();
  }
  EXPECT_EQ(outcomes.count(), ticket) << "everything that was taken has an outcome";
  open();
  EXPECT_EQ(offsets(group("g")), (std::vector<std::uint64_t>{1}));
}

}  // namespace
}  // namespace sluice::hub::store
