#include "hub/store/schema.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/reader.hpp"
#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace literals;

TEST(Schema, SyncsEachCommitWhereSomethingIsKept) {
  const testing::TemporaryFolder temporary;
  const auto folder = Folder::hold(temporary.store());
  ASSERT_TRUE(folder);
  auto opened = open_database(*folder, 1_MiB, {});
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_EQ(opened->database.figure("PRAGMA synchronous").value(), 2) << "FULL, sqlite.org/pragma.html";
  EXPECT_EQ(opened->database.text("PRAGMA journal_mode").value(), "wal");

  const auto memory = Folder::hold(std::string{kInMemory});
  ASSERT_TRUE(memory);
  auto unkept = open_database(*memory, 1_MiB, {});
  ASSERT_TRUE(unkept);
  EXPECT_EQ(unkept->database.figure("PRAGMA synchronous").value(), 0) << "OFF";
}

TEST(Schema, BoundsTheFileItself) {
  const auto folder = Folder::hold(std::string{kInMemory});
  auto opened = open_database(*folder, 1_MiB, {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), 33 * 256)
      << "1 MiB, and 32 MiB of slack";
  ASSERT_TRUE(bound_file(opened->database, 8_MiB));
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), 40 * 256);
}

TEST(Schema, LeavesRoomInAFileThatIsOverItsBound) {
  const auto folder = Folder::hold(std::string{kInMemory});
  auto opened = open_database(*folder, 8_MiB, {});
  ASSERT_TRUE(opened);
  ASSERT_TRUE(
      opened->database.execute("CREATE TABLE full (x); INSERT INTO full VALUES (zeroblob(3000000));"));
  const std::int64_t pages = opened->database.figure("PRAGMA page_count").value();
  EXPECT_GT(pages, 2 * 256);
  ASSERT_TRUE(bound_file(opened->database, 1_MiB));
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), pages + 32 * 256);
}

/// What version 1 made, as far as it matters here.
constexpr const char* kVersion1 = R"(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 7), ('floor', 0);
  CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE conversation (
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
    head_epoch INTEGER NOT NULL, head_offset INTEGER NOT NULL,
    seen_epoch INTEGER NOT NULL, seen_offset INTEGER NOT NULL,
    count INTEGER NOT NULL, bytes INTEGER NOT NULL, touched INTEGER NOT NULL, owes INTEGER NOT NULL);
  CREATE UNIQUE INDEX conversation_name ON conversation (kind, name);
  CREATE INDEX conversation_owing ON conversation (id) WHERE owes = 1;
  CREATE INDEX conversation_empty ON conversation (touched) WHERE count = 0;
  CREATE TABLE message (
    seq INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
    goes_at INTEGER NOT NULL, size INTEGER NOT NULL, sent_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    flags INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL);
  CREATE UNIQUE INDEX message_position ON message (conversation, epoch, offset);
  CREATE INDEX message_goes ON message (goes_at);
  INSERT INTO conversation VALUES (1, 1, 'g', 6, 12, 0, 0, 3, 300, 0, 0), (2, 1, 'empty', 4, 9, 0, 0, 0, 0, 0, 0);
  INSERT INTO message VALUES
    (1, 1, 5, 9, 9000000000000000, 100, 0, 0, 2, 'ann', 'a', '', 'one'),
    (2, 1, 5, 10, 9000000000000000, 100, 0, 0, 2, 'ann', 'b', '', 'two'),
    (3, 1, 6, 12, 9000000000000000, 100, 0, 0, 2, 'ann', 'c', '', 'three');
  PRAGMA application_id = 0x534c4342;
  PRAGMA user_version = 1;
)";

TEST(Schema, TakesOverWhatAnEarlierVersionHasKept) {
  const auto folder = Folder::hold(std::string{kInMemory});
  ASSERT_TRUE(folder);
  {
    auto old = sqlite::Database::open(folder->database(), sqlite::Database::Access::read_write);
    ASSERT_TRUE(old);
    ASSERT_TRUE(old->execute(kVersion1));
  }
  auto opened = open_database(*folder, 1_MiB, {.now = 1'790'000'000'000});
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_GE(opened->epoch, limits::kFirstUniqueEpoch);
  EXPECT_TRUE(opened->epochs.contains(7)) << "all that were counted from 1 on are its own";
  EXPECT_FALSE(opened->epochs.contains(8));
  Acknowledgements none;
  auto reader =
      Reader::open({.database = folder->database(), .epochs = opened->epochs, .acknowledgements = none});
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->history(testing::group("g")).value(), (std::vector<Position>{{5, 9}, {6, 12}}));
  EXPECT_EQ(reader->history(testing::group("empty")).value(), (std::vector<Position>{{4, 9}}));
  EXPECT_EQ(reader->head(testing::group("g")).value(), (Position{.epoch = 6, .offset = 12}));
  EXPECT_EQ(reader->page(testing::group("g"), {}, {.messages = 10, .bytes = 1_MiB})->messages.size(), 3U);
}

TEST(Schema, ForgetsTheOldestOpeningsAndTakesThemForItsOwn) {
  const testing::TemporaryFolder temporary;
  const auto folder = Folder::hold(temporary.store());
  ASSERT_TRUE(folder);
  std::string openings;
  for (std::size_t i = 0; i < limits::kRememberedOpenings; ++i)
    openings += "INSERT INTO opening VALUES (" + std::to_string(1'000 + 10 * i) + ");";
  ASSERT_TRUE(open_database(*folder, 1_MiB, {})->database.execute("BEGIN;" + openings + "COMMIT;"));
  const auto opened = open_database(*folder, 1_MiB, {.now = 1'790'000'000'000});
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_TRUE(opened->epochs.contains(1'000)) << "it is forgotten";
  EXPECT_TRUE(opened->epochs.contains(1'010));
  EXPECT_FALSE(opened->epochs.contains(1'015));
}

}  // namespace
}  // namespace sluice::hub::store
