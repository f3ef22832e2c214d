#include "hub/store/schema.hpp"

#include <string>

#include <gtest/gtest.h>

#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace literals;

TEST(Schema, SyncsEachCommitWhereSomethingIsKept) {
  const testing::TemporaryFolder temporary;
  const auto folder = Folder::hold(temporary.store());
  ASSERT_TRUE(folder);
  auto opened = open_database(*folder, 1_MiB);
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_EQ(opened->database.figure("PRAGMA synchronous").value(), 2) << "FULL, sqlite.org/pragma.html";
  EXPECT_EQ(opened->database.text("PRAGMA journal_mode").value(), "wal");

  const auto memory = Folder::hold(std::string{kInMemory});
  ASSERT_TRUE(memory);
  auto unkept = open_database(*memory, 1_MiB);
  ASSERT_TRUE(unkept);
  EXPECT_EQ(unkept->database.figure("PRAGMA synchronous").value(), 0) << "OFF";
}

TEST(Schema, BoundsTheFileItself) {
  const auto folder = Folder::hold(std::string{kInMemory});
  auto opened = open_database(*folder, 1_MiB);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), 33 * 256)
      << "1 MiB, and 32 MiB of slack";
  ASSERT_TRUE(bound_file(opened->database, 8_MiB));
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), 40 * 256);
}

TEST(Schema, LeavesRoomInAFileThatIsOverItsBound) {
  const auto folder = Folder::hold(std::string{kInMemory});
  auto opened = open_database(*folder, 8_MiB);
  ASSERT_TRUE(opened);
  ASSERT_TRUE(
      opened->database.execute("CREATE TABLE full (x); INSERT INTO full VALUES (zeroblob(3000000));"));
  const std::int64_t pages = opened->database.figure("PRAGMA page_count").value();
  EXPECT_GT(pages, 2 * 256);
  ASSERT_TRUE(bound_file(opened->database, 1_MiB));
  EXPECT_EQ(opened->database.figure("PRAGMA max_page_count").value(), pages + 32 * 256);
}

}  // namespace
}  // namespace sluice::hub::store
