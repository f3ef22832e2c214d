#include "hub/store/log_writer.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/reader.hpp"
#include "hub/store/schema.hpp"
#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace literals;

constexpr Retention kLong{.age = std::chrono::hours{1}, .count = 10'000, .bytes = 64_MiB};
constexpr Retention kRetention{.age = std::chrono::milliseconds{200}, .count = 12, .bytes = 3_KiB};

/// A database in memory, so to speak, and both ends of it, without threads.
class Bench {
 public:
  struct Options {
    Retention retention = kRetention;
    std::chrono::milliseconds grace{};
    Bytes bound = 64_MiB;
  };
  explicit Bench(Options options) : options_(options), folder_(Folder::hold(std::string{kInMemory}).value()) {
    open();
  }

  void open() {
    reader_.reset();
    writer_.reset();
    opened_.reset();
    opened_.emplace(open_database(folder_, 64_MiB, {}).value());
    writer_.emplace(
        LogWriter::prepare(opened_->database,
                           {.retention = [this](const Conversation&) { return options_.retention; },
                            .bound = options_.bound,
                            .conversations = 1'000,
                            .grace = options_.grace})
            .value());
    reader_.emplace(Reader::open({.database = folder_.database(),
                                  .epochs = opened_->epochs,
                                  .acknowledgements = acknowledgements_})
                        .value());
  }
  LogWriter& writer() { return *writer_; }
  Reader& reader() { return *reader_; }
  [[nodiscard]] std::uint64_t epoch() const { return opened_->epoch; }
  /// The file takes no page more.
  void fill() { ASSERT_TRUE(opened_->database.execute("PRAGMA max_page_count = 1")); }
  void change(const std::string& statement) {
    const auto done = opened_->database.execute(statement);
    ASSERT_TRUE(done) << describe(done.error());
  }
  void make_room() { ASSERT_TRUE(opened_->database.execute("PRAGMA max_page_count = 10000")); }

 private:
  Options options_;
  Folder folder_;
  Acknowledgements acknowledgements_;
  std::optional<OpenedDatabase> opened_;
  std::optional<LogWriter> writer_;
  std::optional<Reader> reader_;
};

/// What a conversation must hold, kept in the plainest way.
struct ModelLog {
  struct Entry {
    StoredMessage message;
    UnixMs goes_at;
    std::uint64_t size;
  };
  std::deque<Entry> entries{};
  Position head{};
  Position seen{};

  void trim(Removed& removed, std::size_t kind) {
    for (;;) {
      std::uint64_t bytes = 0;
      for (const Entry& entry : entries) bytes += entry.size;
      if (entries.empty()) return;
      const bool acknowledged = entries.front().message.delivery.position <= seen;
      if (!acknowledged && entries.size() <= kRetention.count && bytes <= kRetention.bytes.count()) return;
      ++removed[kind][static_cast<std::size_t>(acknowledged ? Removal::acknowledged : Removal::trimmed)];
      entries.pop_front();
    }
  }
  void expire(UnixMs now, Removed& removed, std::size_t kind) {
    removed[kind][static_cast<std::size_t>(Removal::expired)] +=
        std::erase_if(entries, [&](const Entry& entry) { return entry.goes_at <= now; });
  }
};

/// Random batches for a few conversations, and a model that does the same; both must tell the same at any
/// time.
class Simulation {
 public:
  explicit Simulation(unsigned seed) : dice_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      if (roll(40) == 0) {
        bench_.open();
      } else {
        write();
      }
      read();
    }
    EXPECT_EQ(sum(), stored_ - total_removed());
    EXPECT_GT(total_removed(), 0U);
  }

 private:
  std::uint64_t roll(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>{0, bound - 1}(dice_);
  }

  Conversation any() {
    return {.kind = static_cast<Conversation::Kind>(roll(3)),
            .name = std::string(1, static_cast<char>('a' + roll(3)))};
  }

  Append random_append() {
    const Conversation to = any();
    ModelLog& log = logs_[to];
    wire::hub::Delivery message{
        // An inbox of several senders is trimmed by whose messages they are (fair_removal_test.cpp).
        .from = std::string(to.kind == Conversation::Kind::user ? 5 : roll(10), 's'),
        .to = to,
        .id = "id" + std::to_string(roll(1'000)),
        .position = {.epoch = bench_.epoch(), .offset = log.head.offset + 1 + roll(3)},
        .sent_at = now_ - static_cast<UnixMs>(roll(20)),
        .content = {.kind = static_cast<wire::hub::Content::Kind>(roll(2)),
                    .bytes = std::string(roll(600), 'c')},
        .key = std::string(roll(4), 'k'),
        .critical = roll(2) == 0};
    const UnixMs expires_at = roll(3) == 0 ? now_ + static_cast<UnixMs>(roll(100)) : 0;
    if (roll(20) == 0 && log.head.offset > 0) message.position.offset = log.head.offset;  // not behind it
    return {.message = std::make_shared<wire::hub::Delivery>(std::move(message)), .expires_at = expires_at};
  }

  void expect_append(const Append& append, std::size_t index, std::vector<std::size_t>& misplaced) {
    ModelLog& log = logs_[append.message->to];
    if (append.message->position.offset <= log.head.offset) return misplaced.push_back(index);
    const auto& message = *append.message;
    const UnixMs by_age = now_ + kRetention.age.count();
    log.head = message.position;
    log.entries.push_back({.message = {.delivery = message, .expires_at = append.expires_at},
                           .goes_at = append.expires_at == 0 ? by_age : std::min(by_age, append.expires_at),
                           .size = limits::kRowOverhead.count() + message.from.size() + message.id.size() +
                                   message.key.size() + message.content.bytes.size()});
    ++stored_;
  }

  void write() {
    now_ += static_cast<UnixMs>(roll(30));
    Batch batch;
    std::vector<std::size_t> misplaced;
    for (std::uint64_t count = roll(12); count > 0; --count) {
      batch.appends.push_back(random_append());
      expect_append(batch.appends.back(), batch.appends.size() - 1, misplaced);
    }
    for (std::uint64_t count = roll(3); count > 0; --count) {
      const Conversation inbox{.kind = Conversation::Kind::user, .name = any().name};
      ModelLog& log = logs_[inbox];
      if (log.head.offset == 0) continue;
      const Position mark{.epoch = log.head.epoch, .offset = log.head.offset - roll(log.head.offset)};
      batch.acknowledged.push_back({.conversation = inbox, .position = mark});
      log.seen = std::max(log.seen, mark);
    }
    apply(batch, misplaced);
  }

  void apply(const Batch& batch, const std::vector<std::size_t>& misplaced) {
    Removed removed{};
    for (auto& [name, log] : logs_) {
      const auto kind = static_cast<std::size_t>(name.kind);
      log.trim(removed, kind);
      log.expire(now_, removed, kind);
    }
    const auto applied = bench_.writer().apply(batch, now_);
    ASSERT_TRUE(applied) << describe(applied.error());
    EXPECT_EQ(applied->misplaced, misplaced);
    EXPECT_EQ(applied->removed, removed);
    EXPECT_FALSE(applied->more);
    EXPECT_FALSE(bench_.writer().has_work(now_).value());
    for (std::size_t kind = 0; kind < kConversationKinds; ++kind) {
      for (std::size_t why = 0; why < kRemovals; ++why) removed_[kind][why] += removed[kind][why];
    }
  }

  void read() {
    const Conversation of = any();
    const ModelLog& log = logs_[of];
    Reader& reader = bench_.reader();
    EXPECT_EQ(reader.acknowledged(of).value(), log.seen);
    const Position nothing{.epoch = bench_.epoch(), .offset = 0};
    EXPECT_EQ(reader.head(of).value(), log.head.offset == 0 ? nothing : log.head);

    const Position after{.epoch = 1 + roll(bench_.epoch()), .offset = roll(log.head.offset + 2)};
    const std::size_t most = 1 + roll(10);
    std::vector<const StoredMessage*> expected;
    for (const auto& entry : log.entries) {
      if (entry.message.delivery.position > after) expected.push_back(&entry.message);
    }
    const auto page = reader.page(of, {.after = after}, {.messages = most, .bytes = 1_MiB});
    ASSERT_TRUE(page) << describe(page.error());
    ASSERT_EQ(page->messages.size(), std::min(most, expected.size()));
    EXPECT_EQ(page->more, expected.size() > most);
    for (std::size_t i = 0; i < page->messages.size(); ++i) {
      EXPECT_EQ(page->messages[i].delivery, expected[i]->delivery);
      EXPECT_EQ(page->messages[i].expires_at, expected[i]->expires_at);
    }
    const Position first = log.entries.empty() ? Position{reader.head(of)->epoch, reader.head(of)->offset + 1}
                                               : log.entries.front().message.delivery.position;
    EXPECT_EQ(page->first, first);
    const auto rows = reader.counted_rows();
    ASSERT_TRUE(rows) << describe(rows.error());
    EXPECT_EQ(*rows, sum());
  }

  [[nodiscard]] std::uint64_t sum() const {
    std::uint64_t sum = 0;
    for (const auto& [name, log] : logs_) sum += log.entries.size();
    return sum;
  }
  [[nodiscard]] std::uint64_t total_removed() const {
    std::uint64_t total = 0;
    for (const auto& kind : removed_) {
      for (const std::uint64_t count : kind) total += count;
    }
    return total;
  }

  std::mt19937 dice_;
  Bench bench_{{}};
  UnixMs now_ = 1'000'000;
  std::map<Conversation, ModelLog> logs_;
  std::uint64_t stored_ = 0;
  Removed removed_{};
};

TEST(LogWriter, HoldsWhatAModelHoldsWhateverComes) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Simulation{seed}.run(300);
    if (::testing::Test::HasFailure()) return;
  }
}

Append append_of(const Conversation& to, Position at, std::size_t size = 10) {
  return {.message = store::testing::message(to, at, std::string(size, 'x'))};
}

TEST(LogWriter, GoesOnWithASliceAlsoAfterACrash) {
  Bench bench{{.retention = kLong}};
  const Conversation bob = store::testing::inbox("bob");
  const UnixMs now = 1'000'000;
  Batch batch;
  for (std::uint64_t offset = 1; offset <= 2'000; ++offset)
    batch.appends.push_back(append_of(bob, {.epoch = 1, .offset = offset}));
  ASSERT_TRUE(bench.writer().apply(batch, now));
  const Batch mark{.acknowledged = {{.conversation = bob, .position = {.epoch = 1, .offset = 1'990}}}};
  const auto slice = bench.writer().apply(mark, now);
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->removed_rows, limits::kRemovalSlice);
  EXPECT_TRUE(slice->more);

  bench.open();
  EXPECT_TRUE(bench.writer().has_work(now).value());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bench.writer().apply({}, now));
  EXPECT_FALSE(bench.writer().has_work(now).value());
  EXPECT_EQ(bench.reader().counted_rows().value(), 10U);
}

/// A conversation's messages from one offset to another, in one transaction.
Applied store(Bench& bench, const Conversation& to, std::uint64_t first, std::uint64_t last, UnixMs now,
              std::size_t size = 10) {
  Batch batch;
  for (std::uint64_t offset = first; offset <= last; ++offset)
    batch.appends.push_back(append_of(to, {.epoch = 1, .offset = offset}, size));
  return bench.writer().apply(batch, now).value();
}
std::uint64_t of_inboxes(const Applied& applied, Removal why) {
  return applied.removed.at(static_cast<std::size_t>(Conversation::Kind::user))
      .at(static_cast<std::size_t>(why));
}
Batch acknowledged(const Conversation& inbox, std::uint64_t offset) {
  return {.acknowledged = {{.conversation = inbox, .position = {.epoch = 1, .offset = offset}}}};
}

TEST(LogWriter, KeepsWhatWasAcknowledgedForAGrace) {
  constexpr UnixMs kGrace = 1'000;
  Bench bench{{.retention = kLong, .grace = std::chrono::milliseconds{kGrace}}};
  const Conversation bob = store::testing::inbox("bob");
  UnixMs now = 1'000'000;
  const auto rows = [&] { return bench.reader().counted_rows().value(); };
  const auto work = [&] {
    EXPECT_TRUE(bench.writer().has_work(now).value());
    EXPECT_TRUE(bench.writer().apply({}, now));
    EXPECT_FALSE(bench.writer().has_work(now).value());
  };
  (void)store(bench, bob, 1, 10, now);
  ASSERT_TRUE(bench.writer().apply(acknowledged(bob, 4), now));
  EXPECT_EQ(bench.reader().acknowledged(bob).value(), (Position{.epoch = 1, .offset = 4}));
  EXPECT_EQ(rows(), 10U);
  now += kGrace - 1;
  ASSERT_TRUE(bench.writer().apply(acknowledged(bob, 6), now));
  EXPECT_FALSE(bench.writer().has_work(now).value());
  now += 1;
  work();
  EXPECT_EQ(rows(), 6U) << "the last two were acknowledged later";
  now += kGrace;
  work();
  EXPECT_EQ(rows(), 4U);

  ASSERT_TRUE(bench.writer().apply(acknowledged(bob, 9), now));
  bench.open();
  EXPECT_FALSE(bench.writer().has_work(now).value());
  now += kGrace;
  work();
  EXPECT_EQ(rows(), 1U) << "a crash makes it longer, not endless";
}

TEST(LogWriter, CountsWhatWasAcknowledgedAmongWhatAConversationMayKeep) {
  Bench bench{{.retention = {.age = std::chrono::hours{1}, .count = 10, .bytes = 64_MiB},
               .grace = std::chrono::minutes{1}}};
  const Conversation bob = store::testing::inbox("bob");
  (void)store(bench, bob, 1, 8, 1'000'000);
  ASSERT_TRUE(bench.writer().apply(acknowledged(bob, 3), 1'000'000));
  const Applied applied = store(bench, bob, 9, 14, 1'000'000);
  EXPECT_EQ(of_inboxes(applied, Removal::acknowledged), 3U);
  EXPECT_EQ(of_inboxes(applied, Removal::trimmed), 1U);
  EXPECT_EQ(bench.reader().counted_rows().value(), 10U);
}

TEST(LogWriter, LetsGoOfWhatWasAcknowledgedBeforeItEvictsWhatWasNot) {
  Bench bench{{.retention = kLong, .grace = std::chrono::hours{1}, .bound = 1_MiB}};
  const Conversation bob = store::testing::inbox("bob");
  (void)store(bench, store::testing::group("older"), 1, 300, 1'000'000, 1'000);
  (void)store(bench, bob, 1, 300, 1'000'000, 1'000);
  ASSERT_TRUE(bench.writer().apply(acknowledged(bob, 300), 1'000'000));
  EXPECT_EQ(bench.reader().counted_rows().value(), 600U) << "there is room for it";
  const Applied applied = store(bench, store::testing::group("newer"), 1, 400, 1'000'000, 1'000);
  EXPECT_EQ(of_inboxes(applied, Removal::acknowledged), 300U);
  EXPECT_EQ(
      bench.reader().page(store::testing::group("older"), {}, {.messages = 1, .bytes = 1_MiB})->first.offset,
      1U);
}

TEST(LogWriter, GoesByOtherBoundsInSlices) {
  Bench bench{{.retention = kLong, .bound = 64_MiB}};
  const Conversation ops = store::testing::group("ops");
  (void)store(bench, ops, 1, 2'000, 1'000'000, 1'000);
  EXPECT_FALSE(bench.writer().has_work(1'000'000).value());
  bench.writer().set_bounds(1_MiB, 1'000);
  EXPECT_TRUE(bench.writer().has_work(1'000'000).value());
  const Applied first = bench.writer().apply({}, 1'000'000).value();
  EXPECT_EQ(first.removed_rows, limits::kRemovalSlice);
  EXPECT_TRUE(first.more);
  while (bench.writer().apply({}, 1'000'000).value().more) {
  }
  EXPECT_FALSE(bench.writer().has_work(1'000'000).value());
  EXPECT_LT(bench.reader().counted_rows().value(), 1'000U);
  EXPECT_GT(bench.reader().counted_rows().value(), 500U);
  bench.writer().set_bounds(64_MiB, 1'000);
  EXPECT_EQ(store(bench, ops, 2'001, 3'000, 1'000'000, 1'000).removed_rows, 0U);
}

TEST(LogWriter, LeavesEverythingAsItWasWhenOneStepFails) {
  Bench bench{{}};
  const Conversation group = store::testing::group("g");
  ASSERT_TRUE(bench.writer().apply({.appends = {append_of(group, {.epoch = 1, .offset = 1})}}, 1'000'000));
  const Batch batch{.appends = {append_of(group, {.epoch = 1, .offset = 2}),
                                append_of(store::testing::group("h"), {.epoch = 1, .offset = 1}, 100'000)}};
  bench.fill();
  const auto failed = bench.writer().apply(batch, 1'000'000);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::limit_exceeded) << describe(failed.error());
  EXPECT_EQ(bench.reader().counted_rows().value(), 1U);
  EXPECT_EQ(bench.reader().head(group).value(), (Position{.epoch = 1, .offset = 1}));
  EXPECT_EQ(bench.reader().head(store::testing::group("h")).value(), (Position{.epoch = 1, .offset = 0}));
  bench.make_room();
  const auto applied = bench.writer().apply({.appends = {batch.appends[0]}}, 1'000'000);
  ASSERT_TRUE(applied);
  EXPECT_TRUE(applied->misplaced.empty());
}

TEST(Acknowledgements, AreKnownUntilACommitHasThem) {
  Acknowledgements marks;
  const Conversation bob = store::testing::inbox("bob");
  EXPECT_TRUE(marks.note({.conversation = bob, .position = {.epoch = 1, .offset = 5}}));
  EXPECT_TRUE(marks.note({.conversation = bob, .position = {.epoch = 1, .offset = 4}}));
  ASSERT_EQ(marks.take().size(), 1U);
  EXPECT_TRUE(marks.empty());
  EXPECT_EQ(marks.find(bob, ""), (Position{.epoch = 1, .offset = 5}));
  EXPECT_TRUE(marks.note({.conversation = bob, .position = {.epoch = 1, .offset = 7}}));
  marks.failed();
  EXPECT_EQ(marks.find(bob, ""), (Position{.epoch = 1, .offset = 7})) << "the later one stays";
  ASSERT_EQ(marks.take().size(), 1U);
  marks.committed();
  EXPECT_EQ(marks.find(bob, ""), std::nullopt);
}

TEST(Acknowledgements, AreBounded) {
  Acknowledgements marks;
  for (std::size_t i = 0; i < limits::kWaitingAcknowledgements; ++i)
    ASSERT_TRUE(marks.note(
        {.conversation = store::testing::inbox(std::to_string(i)), .position = {.epoch = 1, .offset = 1}}));
  EXPECT_FALSE(
      marks.note({.conversation = store::testing::inbox("one more"), .position = {.epoch = 1, .offset = 1}}));
  EXPECT_TRUE(marks.note({.conversation = store::testing::inbox("7"), .position = {.epoch = 1, .offset = 2}}))
      << "known already";
}

TEST(Acknowledgements, AreBoundedForAnInboxAlsoWhileCommitsFail) {
  Acknowledgements marks;
  const auto note = [&](const std::string& user, const std::string& device) {
    return marks.note({.conversation = store::testing::inbox(user),
                       .position = {.epoch = 1, .offset = 1},
                       .device = device});
  };
  for (std::size_t i = 0; i < DeviceMarks::kMost; ++i) ASSERT_TRUE(note("eve", std::to_string(i)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(note("eve", "one more"));
    EXPECT_EQ(marks.take().size(), DeviceMarks::kMost);
    EXPECT_FALSE(note("eve", "one more")) << "the commit may give them back";
    EXPECT_TRUE(note("eve", "7")) << "known already";
    marks.failed();
  }
  EXPECT_TRUE(note("bob", "0"));
  EXPECT_EQ(marks.take().size(), DeviceMarks::kMost + 1);
  marks.committed();
  EXPECT_TRUE(note("eve", "one more"));
}

TEST(Acknowledgements, AreBoundedWithThoseThatACommitIsAt) {
  Acknowledgements marks;
  const auto note = [&](std::size_t user) {
    return marks.note(
        {.conversation = store::testing::inbox(std::to_string(user)), .position = {.epoch = 1, .offset = 1}});
  };
  for (std::size_t i = 0; i < limits::kWaitingAcknowledgements; ++i) ASSERT_TRUE(note(i));
  (void)marks.take();
  EXPECT_FALSE(note(limits::kWaitingAcknowledgements));
  EXPECT_TRUE(note(7));
  marks.failed();
  EXPECT_EQ(marks.take().size(), limits::kWaitingAcknowledgements);
}

Batch acknowledged_by(const std::string& device, const Conversation& inbox, Position at) {
  return {.acknowledged = {{.conversation = inbox, .position = at, .device = device}}};
}
/// What a hub does that has just been started: it numbers behind what its reader says.
void expect_to_take_the_next_of(Bench& bench, const Conversation& inbox) {
  Position next = bench.reader().head(inbox).value();
  ++next.offset;
  const auto applied = bench.writer().apply({.appends = {append_of(inbox, next)}}, 1'000'000);
  ASSERT_TRUE(applied) << describe(applied.error());
  EXPECT_TRUE(applied->misplaced.empty()) << next.offset;
}

TEST(LogWriter, TakesTheFirstMessageOfAnInboxThatKnowsADeviceAndBeginsBehindTheFloor) {
  Bench bench{{.retention = kLong}};
  const Conversation bob = store::testing::inbox("bob");
  bench.change("UPDATE meta SET value = 10000 WHERE name = 'floor'");
  const Position begin = bench.reader().head(bob).value();
  EXPECT_EQ(begin, (Position{.epoch = bench.epoch(), .offset = 10'000}));
  ASSERT_TRUE(bench.writer().apply(acknowledged_by("phone", bob, begin), 1'000'000));
  EXPECT_EQ(bench.reader().head(bob).value(), begin);
  bench.open();
  EXPECT_EQ(bench.reader().head(bob).value(), (Position{.epoch = bench.epoch(), .offset = 10'000}));
  expect_to_take_the_next_of(bench, bob);
}

TEST(LogWriter, TakesTheFirstMessageOfAnInboxInWhichOnlyUnstoredOnesWereAcknowledged) {
  Bench bench{{.retention = kLong}};
  const Conversation bob = store::testing::inbox("bob");
  for (const std::uint64_t offset : {0U, 5U, 6U}) {
    const Position at{.epoch = bench.epoch(), .offset = offset};
    ASSERT_TRUE(bench.writer().apply(acknowledged_by("phone", bob, at), 1'000'000));
  }
  bench.open();
  EXPECT_EQ(bench.reader().head(bob).value(), (Position{.epoch = bench.epoch(), .offset = 0}));
  expect_to_take_the_next_of(bench, bob);
}

/// A thousand senders of small messages, the oldest of all, then one who fills the store. Even three who fall
/// into one class together hold little.
struct Flooded {
  explicit Flooded(Bench& bench, std::size_t victims, std::size_t flood, std::size_t size = 10'000) {
    Batch batch;
    for (std::size_t i = 1; i <= victims; ++i) put(batch, "victim " + std::to_string(i % 1'000), {1, i}, 10);
    for (std::size_t i = 1; i <= flood; ++i) put(batch, "eve", {1, victims + i}, size);
    EXPECT_TRUE(bench.writer().apply(batch, 1'000'000));
  }
  static void put(Batch& batch, const std::string& from, Position at, std::size_t size) {
    auto message = store::testing::message(ops(), at, std::string(size, 'x'));
    message->from = from;
    batch.appends.push_back({.message = std::move(message)});
  }
  static Conversation ops() { return store::testing::group("ops"); }
  /// The oldest that is there.
  static std::uint64_t first(Bench& bench) {
    return bench.reader().page(ops(), {}, {.messages = 1, .bytes = 1_MiB})->first.offset;
  }
};

TEST(LogWriter, FindsWhatMayGoBehindManyRowsThatMayNot) {
  Bench bench{{.retention = kLong}};
  const Flooded flooded{bench, 3'000, 300};
  bench.writer().set_bounds(2_MiB, 1'000);
  const Applied first = bench.writer().apply({}, 1'000'000).value();
  EXPECT_GT(first.removed_rows, 50U);
  EXPECT_EQ(Flooded::first(bench), 1U) << "not a victim's";
}

TEST(LogWriter, LooksFurtherWhenTheFileIsFarOverItsBound) {
  Bench bench{{.retention = kLong}};
  const Flooded flooded{bench, 6'000, 20, 1'000'000};
  bench.writer().set_bounds(2_MiB, 1'000);
  EXPECT_GT(bench.writer().apply({}, 1'000'000)->removed_rows, 10U);
  EXPECT_EQ(Flooded::first(bench), 1U) << "not a victim's";
}

TEST(LogWriter, SparesNobodyBeforeTheFileIsAtItsEnd) {
  Bench bench{{.retention = {.age = std::chrono::hours{1}, .count = 100'000, .bytes = 64_MiB}}};
  const Flooded flooded{bench, 37'000, 20, 1'000'000};
  bench.writer().set_bounds(1_MiB, 1'000);
  const Applied first = bench.writer().apply({}, 1'000'000).value();
  EXPECT_GT(first.removed_rows, 16 * limits::kRemovalSlice - 64) << "at once";
  EXPECT_EQ(Flooded::first(bench), first.removed_rows + 1) << "the oldest of all";
}

TEST(LogWriter, SparesNobodyWhereAWholePassHasFreedNothing) {
  Bench bench{{.retention = kLong}};
  const Flooded flooded{bench, 3'000, 300};
  bench.writer().set_bounds(5_MiB, 1'000);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(bench.writer().apply({}, 1'000'000));  // it counts who holds what
  bench.change("DELETE FROM message WHERE sender = 'eve'");
  bench.writer().set_bounds(256_KiB, 1'000);
  EXPECT_TRUE(bench.writer().has_work(1'000'000).value());
  for (int i = 0; i < 10 && bench.writer().has_work(1'000'000).value(); ++i)
    ASSERT_TRUE(bench.writer().apply({}, 1'000'000));
  EXPECT_FALSE(bench.writer().has_work(1'000'000).value()) << "it is within its bound";
  EXPECT_GT(Flooded::first(bench), 1U);
}

TEST(LogWriter, ProtectsOnAfterACommitThatFailed) {
  Bench bench{{.retention = kLong}};
  const Flooded flooded{bench, 6'000, 400};
  Batch next;
  Flooded::put(next, "eve", {1, 8'000}, 1'000'000);
  bench.fill();
  ASSERT_FALSE(bench.writer().apply(next, 1'000'000));
  bench.make_room();
  bench.writer().set_bounds(2_MiB, 1'000);
  ASSERT_TRUE(bench.writer().apply(next, 1'000'000));
  ASSERT_TRUE(bench.writer().apply({}, 1'000'000));
  EXPECT_EQ(Flooded::first(bench), 1U) << "not a victim's";
}

TEST(LogWriter, RemembersTheFirstEpochAndTheLastOnes) {
  Bench bench{{.retention = kLong}};
  const Conversation group = store::testing::group("g");
  for (std::uint64_t offset = 1; offset <= limits::kRememberedEpochs + 10; ++offset) {
    if (offset > 1) bench.open();
    ASSERT_TRUE(bench.writer().apply(
        {.appends = {append_of(group, {.epoch = bench.epoch(), .offset = offset})}}, 1'000'000));
  }
  const auto history = bench.reader().history(group).value();
  ASSERT_EQ(history.size(), limits::kRememberedEpochs);
  EXPECT_EQ(history.front(), (Position{.epoch = 1, .offset = 1}));
  for (std::size_t i = 1; i < history.size(); ++i)
    EXPECT_EQ(history[i], (Position{.epoch = 11 + i, .offset = 11 + i}));
}

}  // namespace
}  // namespace sluice::hub::store
