#include "hub/store/damage.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/log_writer.hpp"
#include "hub/store/reader.hpp"
#include "hub/store/schema.hpp"
#include "hub/store/testing.hpp"

/// What comes from the file is input: what is wrong with it is passed over and told, and the rest goes on.
namespace sluice::hub::store {
namespace {

using namespace literals;
using testing::group;
using testing::inbox;

constexpr PageLimits kLarge{.messages = 10'000, .bytes = 64_MiB};
constexpr UnixMs kNow = 1'000'000;

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() { open(); }
  void open() {
    reader_.reset();
    writer_.reset();
    opened_.reset();
    opened_.emplace(open_database(folder_, 64_MiB, {}).value());
    const Retention retention{.age = std::chrono::hours{1}, .count = 10'000, .bytes = 64_MiB};
    writer_.emplace(
        LogWriter::prepare(opened_->database, {.retention = [=](const Conversation&) { return retention; },
                                               .bound = 64_MiB,
                                               .conversations = 1'000,
                                               .grace = {},
                                               .damage = &damage_})
            .value());
    reader_.emplace(Reader::open({.database = folder_.database(),
                                  .epochs = opened_->epochs,
                                  .acknowledgements = acknowledgements_,
                                  .damage = &damage_})
                        .value());
  }
  Applied store(const Conversation& to, std::uint64_t first, std::uint64_t last, UnixMs now = kNow) {
    Batch batch;
    for (std::uint64_t offset = first; offset <= last; ++offset)
      batch.appends.push_back(
          {.message = testing::message(to, at(offset), "message " + std::to_string(offset))});
    auto applied = writer_->apply(batch, now);
    EXPECT_TRUE(applied) << describe(applied.error());
    return std::move(*applied);
  }
  [[nodiscard]] static Position at(std::uint64_t offset) { return {.epoch = 1, .offset = offset}; }
  void change(const std::string& statement) {
    const auto done = opened_->database.execute(statement);
    ASSERT_TRUE(done) << describe(done.error());
  }
  Page page(const Conversation& of, Position after = {}) {
    auto read = reader_->page(of, {.after = after}, kLarge);
    EXPECT_TRUE(read) << describe(read.error());
    return std::move(*read);
  }
  static std::vector<std::uint64_t> offsets(const Page& page) {
    std::vector<std::uint64_t> found;
    for (const StoredMessage& message : page.messages) found.push_back(message.delivery.position.offset);
    return found;
  }

  Damage damage_;
  Folder folder_ = Folder::hold(std::string{kInMemory}).value();
  Acknowledgements acknowledgements_;
  std::optional<OpenedDatabase> opened_;
  std::optional<LogWriter> writer_;
  std::optional<Reader> reader_;
};

using Offsets = std::vector<std::uint64_t>;

TEST_F(DamageTest, MessageWhoseContentHasChangedIsPassedOver) {
  store(group("ops"), 1, 5);
  change("UPDATE message SET content = 'massage 3' WHERE offset = 3");
  const Page read = page(group("ops"));
  EXPECT_EQ(offsets(read), (Offsets{1, 2, 4, 5}));
  EXPECT_EQ(read.damaged, (std::vector{at(3)}));
  EXPECT_EQ(damage_.count(), 1U);
}

TEST_F(DamageTest, EveryColumnIsCovered) {
  const Conversation ops = group("ops");
  store(ops, 1, 1);
  for (const char* column :
       {"goes_at = goes_at + 1", "size = size + 1", "sent_at = sent_at + 1", "expires_at = 1", "flags = 3",
        "sender = 'mallory'", "id = 'm2'", "key = 'k'", "content = content || ' '"}) {
    change("UPDATE message SET " + std::string{column});
    EXPECT_EQ(page(ops).damaged.size(), 1U) << column;
    change(
        "UPDATE message SET goes_at = 4600000, size = 112, sent_at = 1000000, expires_at = 0, flags = 2, "
        "sender = "
        "'alice', id = 'm1', key = '', content = 'message 1'");
    ASSERT_EQ(offsets(page(ops)), (Offsets{1})) << "after " << column;
  }
}

TEST_F(DamageTest, RowOfAnEarlierVersionIsHeldAgainstItsContentAlone) {
  const Conversation ops = group("ops");
  store(ops, 1, 4);
  change("UPDATE message SET sum = NULL");
  EXPECT_EQ(offsets(page(ops)), (Offsets{1, 2, 3, 4}));
  change(
      "UPDATE message SET content = CAST(x'6162ff' AS TEXT) WHERE offset = 1; "
      "UPDATE message SET sender = CAST(x'61000a' AS TEXT) WHERE offset = 2; "
      "UPDATE message SET flags = 99 WHERE offset = 3");
  const Page read = page(ops);
  EXPECT_EQ(offsets(read), (Offsets{4}));
  EXPECT_EQ(read.damaged, (std::vector{at(1), at(2), at(3)}));
}

TEST_F(DamageTest, DamagedRowsCountAsMessagesOfAPage) {
  const Conversation ops = group("ops");
  store(ops, 1, 10);
  change("UPDATE message SET key = 'x'");
  const auto read = reader_->page(ops, {}, {.messages = 4, .bytes = 1_MiB});
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->messages.empty());
  EXPECT_EQ(read->damaged.size(), 4U);
  EXPECT_TRUE(read->more);
}

TEST_F(DamageTest, ConversationsRowIsMadeAgainFromItsMessages) {
  const Conversation bob = inbox("bob");
  store(bob, 1, 5);
  ASSERT_TRUE(writer_->apply({.acknowledged = {{.conversation = bob, .position = at(2)}}}, kNow));
  store(bob, 6, 6);
  const std::uint64_t rows = reader_->counted_rows().value();
  change("UPDATE conversation SET head_offset = 4000, count = 77");
  EXPECT_EQ(reader_->head(bob).value(), at(6));
  EXPECT_EQ(reader_->acknowledged(bob).value(), (Position{.epoch = 0, .offset = 2}))
      << "what there is comes again";
  const Applied applied = store(bob, 7, 7);
  EXPECT_TRUE(applied.misplaced.empty());
  EXPECT_EQ(reader_->head(bob).value(), at(7));
  EXPECT_EQ(reader_->counted_rows().value(), rows + 1);
  EXPECT_GE(damage_.count(), 1U);
}

TEST_F(DamageTest, ConversationOfNoKindHarmsNobody) {
  store(group("ops"), 1, 3);
  store(group("dev"), 1, 3);
  change("UPDATE conversation SET kind = 77, bytes = -1 WHERE name = 'ops'");
  ASSERT_TRUE(writer_->apply({}, kNow + 2 * 3'600'000));
  EXPECT_EQ(reader_->counted_rows().value(), 0U) << "all of them have expired";
  store(group("dev"), 4, 4);
  EXPECT_EQ(offsets(page(group("dev"))), (Offsets{4}));
}

TEST_F(DamageTest, MessageOfNobodysIsRemoved) {
  store(group("ops"), 1, 3);
  change("UPDATE message SET conversation = 4711 WHERE offset = 2");
  const auto applied = writer_->apply({}, kNow + 2 * 3'600'000);
  ASSERT_TRUE(applied) << describe(applied.error());
  EXPECT_EQ(applied->removed_rows, 3U);
  EXPECT_EQ(applied->removed[2][static_cast<std::size_t>(Removal::damaged)], 1U);
}

TEST_F(DamageTest, SizeThatIsNoMessagesDoesNotStopRemovals) {
  store(group("ops"), 1, 3);
  change("UPDATE message SET size = 1000000000 WHERE offset = 1");
  const auto applied = writer_->apply({}, kNow + 2 * 3'600'000);
  ASSERT_TRUE(applied) << describe(applied.error());
  EXPECT_EQ(applied->removed_rows, 3U);
  EXPECT_EQ(reader_->counted_rows().value(), 0U);
}

TEST_F(DamageTest, MarkThatIsDamagedSkipsAndRemovesNothing) {
  const Conversation bob = inbox("bob");
  store(bob, 1, 5);
  const auto acknowledge = [&](const std::string& device, std::uint64_t offset) {
    ASSERT_TRUE(writer_->apply(
        {.acknowledged = {{.conversation = bob, .position = at(offset), .device = device}}}, kNow));
  };
  acknowledge("phone", 2);
  for (const char* harm : {"offset = offset + (1 << 40)", "offset = -1", "epoch = epoch + 1", "used = 5"}) {
    change("UPDATE mark SET " + std::string{harm});
    const auto count = damage_.count();
    EXPECT_EQ(reader_->acknowledged(bob, "phone").value(), at(2)) << "in front of all that is kept";
    EXPECT_GT(damage_.count(), count) << harm;
    acknowledge("laptop", 4);
    EXPECT_EQ(offsets(page(bob)), (Offsets{3, 4, 5})) << harm << ": the phone does not have them";
    EXPECT_EQ(reader_->acknowledged(bob, "phone").value(), at(2));
    EXPECT_EQ(reader_->acknowledged(bob, "laptop").value(), at(4));
    change("DELETE FROM mark WHERE device = 'laptop'");
  }
  acknowledge("phone", 4);
  acknowledge("laptop", 3);
  EXPECT_EQ(reader_->acknowledged(bob, "phone").value(), at(4)) << "it is as it was";
}

TEST_F(DamageTest, BeginningOfAnEpochThatIsDamagedIsPassedOver) {
  store(group("ops"), 1, 5);
  ASSERT_EQ(reader_->history(group("ops")).value(), (std::vector{at(1)}));
  for (const char* harm : {"first = first + (1 << 40)", "first = -1", "epoch = -7", "first = 1 << 63"}) {
    const auto count = damage_.count();
    change("UPDATE history SET " + std::string{harm});
    EXPECT_TRUE(reader_->history(group("ops")).value().empty()) << harm;
    EXPECT_GT(damage_.count(), count);
  }
  change("UPDATE history SET epoch = 1, first = 1, sum = NULL");
  EXPECT_EQ(reader_->history(group("ops")).value(), (std::vector{at(1)})) << "of an earlier version";
  change("UPDATE history SET first = (1 << 62) + 1");
  EXPECT_TRUE(reader_->history(group("ops")).value().empty());
}

TEST_F(DamageTest, FloorThatNoConversationCanHaveReachedStopsNoNewOne) {
  int name = 0;
  for (const char* harm : {"value + (1 << 62)", "-5", "1 << 63"}) {
    change("UPDATE meta SET value = " + std::string{harm} + " WHERE name = 'floor'");
    const Conversation next = group(std::to_string(++name));
    const auto count = damage_.count();
    const Position head = reader_->head(next).value();
    EXPECT_EQ(head, at(std::uint64_t{1} << 40)) << harm;
    EXPECT_GT(damage_.count(), count);
    EXPECT_TRUE(store(next, head.offset + 1, head.offset + 2).misplaced.empty());
    ASSERT_TRUE(writer_->probe());
    EXPECT_EQ(opened_->database.figure("SELECT value FROM meta WHERE name = 'floor'").value(),
              std::int64_t{1} << 40);
  }
}

TEST_F(DamageTest, TimeThatIsDamagedExpiresNothing) {
  ASSERT_TRUE(writer_->apply({.clock = ClockRecord{.time = kNow, .wall = kNow + 5}}, kNow));
  EXPECT_EQ(clock_record(opened_->database)->time, kNow);
  EXPECT_EQ(clock_record(opened_->database)->wall, kNow + 5);
  change("UPDATE meta SET value = value + (1 << 50) WHERE name = 'time'");
  EXPECT_EQ(clock_record(opened_->database)->time, 0) << "as if there had been no run before";
}

TEST_F(DamageTest, OpeningsThatCannotBeAreNotTakenForItsOwn) {
  change("UPDATE meta SET value = 1 << 50 WHERE name = 'assumed'; INSERT INTO opening VALUES (1 << 51)");
  open();
  EXPECT_EQ(opened_->epochs.present(), opened_->epoch);
  EXPECT_TRUE(opened_->epochs.contains(1));
  EXPECT_FALSE(opened_->epochs.contains(std::uint64_t{1} << 49));
  EXPECT_FALSE(opened_->epochs.contains(std::uint64_t{1} << 51));
}

TEST_F(DamageTest, ConversationThatIsMadeAgainFromNoMessageGivesNoPositionOutTwice) {
  const Conversation bob = inbox("bob");
  store(bob, 1, 5);
  ASSERT_TRUE(
      writer_->apply({.acknowledged = {{.conversation = bob, .position = at(5), .device = "phone"}}}, kNow));
  ASSERT_TRUE(offsets(page(bob)).empty());
  change(
      "INSERT INTO conversation SELECT 77, 1, 'ops', 1, 300, 0, 0, 0, 0, 0, 0, 1; "
      "INSERT INTO history (conversation, epoch, first) VALUES (77, 1, 200)");
  change("UPDATE conversation SET count = 3");
  for (const auto& [to, next] : {std::pair{bob, 6U}, std::pair{group("ops"), 201U}}) {
    EXPECT_GE(reader_->head(to).value(), at(next - 1));
    EXPECT_TRUE(store(to, next, next).misplaced.empty());
    EXPECT_EQ(reader_->head(to).value(), at(next));
    change("DELETE FROM message");
    change("UPDATE conversation SET count = 3");
    EXPECT_EQ(store(to, next - 1, next - 1).misplaced.size(), 1U) << "the writer takes the same";
  }
}

/// Bytes of the file, behind SQLite's back.
class FileDamageTest : public DamageTest {
 protected:
  void checkpoint() { change("PRAGMA wal_checkpoint(TRUNCATE)"); }
  [[nodiscard]] std::string bytes() const {
    std::ifstream file{folder_.database(), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void write(std::size_t where, std::string_view what) {
    std::fstream file{folder_.database(), std::ios::binary | std::ios::in | std::ios::out};
    file.seekp(static_cast<std::streamoff>(where));
    file.write(what.data(), static_cast<std::streamsize>(what.size()));
  }
};

TEST_F(FileDamageTest, FlippedByteCostsOneMessage) {
  store(group("ops"), 1, 5);
  store(group("dev"), 1, 1);
  checkpoint();
  const std::size_t where = bytes().find("message 3");
  ASSERT_NE(where, std::string::npos);
  write(where, "\xff");
  open();
  const Page read = page(group("ops"));
  EXPECT_EQ(offsets(read), (Offsets{1, 2, 4, 5}));
  EXPECT_EQ(read.damaged, (std::vector{at(3)}));
  EXPECT_EQ(offsets(page(group("dev"))), (Offsets{1}));
}

TEST_F(FileDamageTest, IndexThatIsDamagedDoesNotStopRemovals) {
  store(group("ops"), 1, 200);
  // An entry of the index whose row has gone: whoever meets it is told that the database is damaged.
  change("PRAGMA writable_schema = ON");
  change("UPDATE sqlite_schema SET sql = replace(sql, 'goes_at)', 'sent_at)') WHERE name = 'message_goes'");
  open();
  change("PRAGMA writable_schema = ON");  // which lets it pass
  change("UPDATE message SET sent_at = 5 WHERE offset = 7");
  change("PRAGMA writable_schema = ON");
  change("UPDATE sqlite_schema SET sql = replace(sql, 'sent_at)', 'goes_at)') WHERE name = 'message_goes'");
  change("PRAGMA writable_schema = OFF");
  open();
  const UnixMs later = kNow + 2 * 3'600'000;
  const Applied applied = store(group("dev"), 1, 3, later);
  EXPECT_TRUE(applied.damaged.empty()) << "what is new is stored";
  for (int i = 0; i < 5 && reader_->counted_rows().value_or(0) > 3; ++i)
    ASSERT_TRUE(writer_->apply({}, later));
  EXPECT_EQ(reader_->counted_rows().value(), 3U);
}

}  // namespace
}  // namespace sluice::hub::store
