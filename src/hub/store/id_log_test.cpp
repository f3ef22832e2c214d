#include "hub/store/id_log.hpp"

#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "hub/store/folder.hpp"
#include "hub/store/schema.hpp"
#include "hub/store/testing.hpp"

namespace sluice::hub::store {
namespace {

using namespace std::chrono_literals;

StoredId id_of(std::uint64_t sender, std::uint64_t number) {
  StoredId id{.print = {.sender = sender, .conversation = 7}, .position = {.epoch = 1, .offset = number}};
  id.print.message[0] = static_cast<std::byte>(sender);
  id.print.message[15] = static_cast<std::byte>(number);
  return id;
}

class IdLogTest : public ::testing::Test {
 protected:
  void open(IdLog::Limits limits) {
    limits_ = limits;
    log_.reset();
    log_.emplace(IdLog::open(opened_.database, limits).value());
  }
  void add(const std::vector<StoredId>& ids, UnixMs now) {
    ASSERT_TRUE(opened_.database.execute("BEGIN IMMEDIATE"));
    ASSERT_TRUE(log_->add(ids, now));
    ASSERT_TRUE(opened_.database.execute("COMMIT"));
    log_->committed();
  }
  std::vector<RememberedId> read(UnixMs now) {
    return IdLog::read(opened_.database, limits_.age, now).value();
  }
  /// How many of each sender's.
  std::map<std::uint64_t, std::size_t> senders(UnixMs now) {
    std::map<std::uint64_t, std::size_t> counts;
    for (const RememberedId& one : read(now)) ++counts[one.id.print.sender];
    return counts;
  }

  Folder folder_ = Folder::hold(std::string{kInMemory}).value();
  OpenedDatabase opened_ = open_database(folder_, Bytes{64 << 20}, {}).value();
  IdLog::Limits limits_{};
  std::optional<IdLog> log_;
};

TEST_F(IdLogTest, GivesBackWhatWasStoredWithItsAge) {
  open({.ids = 100, .age = 5min});
  add({id_of(1, 1), id_of(2, 2)}, 1'000'000);
  add({id_of(1, 3)}, 1'060'000);
  open({.ids = 100, .age = 5min});
  EXPECT_EQ(log_->size(), 3U);
  const auto found = read(1'100'000);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].id, id_of(1, 1));
  EXPECT_EQ(found[1].id, id_of(2, 2));
  EXPECT_EQ(found[0].age, 100s);
  EXPECT_EQ(found[2].id, id_of(1, 3));
  EXPECT_EQ(found[2].age, 40s);
}

TEST_F(IdLogTest, ForgetsWhatIsOld) {
  open({.ids = 100, .age = 5min});
  add({id_of(1, 1)}, 1'000'000);
  add({id_of(1, 2)}, 1'200'000);
  EXPECT_EQ(read(1'300'000).size(), 1U);
  add({id_of(1, 3)}, 1'300'000);
  EXPECT_EQ(log_->size(), 2U);
}

TEST_F(IdLogTest, TakesBackWhatWasNotCommitted) {
  open({.ids = 3, .age = 5min});
  add({id_of(1, 1), id_of(1, 2)}, 1'000'000);
  ASSERT_TRUE(opened_.database.execute("BEGIN IMMEDIATE"));
  ASSERT_TRUE(log_->add({id_of(1, 3), id_of(1, 4)}, 1'000'001));
  ASSERT_TRUE(opened_.database.execute("ROLLBACK"));
  EXPECT_EQ(log_->size(), 2U);
  add({id_of(1, 5)}, 1'000'002);
  EXPECT_EQ(log_->size(), 3U);
  EXPECT_EQ(read(1'000'002).size(), 3U);
}

TEST_F(IdLogTest, FloodOfOthersLeavesASendersIdsAlone) {
  open({.ids = 2'000, .age = 5min});
  const std::uint64_t victim = 99;
  add({id_of(victim, 1), id_of(victim, 2), id_of(1, 1)}, 1'000'000);
  for (std::uint64_t commit = 0; commit < 500; ++commit) {
    std::vector<StoredId> ids;
    for (std::uint64_t i = 0; i < 40; ++i) ids.push_back(id_of(1 + i % 12, commit * 40 + i));
    add(ids, 1'000'001);
    ASSERT_LE(log_->size(), 2'000U);
  }
  const auto counts = senders(1'000'001);
  EXPECT_EQ(counts.at(victim), 2U);
  EXPECT_GT(counts.at(1), 80U) << "they have most of it all the same";
  open({.ids = 2'000, .age = 5min});
  EXPECT_EQ(senders(1'000'001).at(victim), 2U);
  add({id_of(1, 1)}, 1'300'001);
  for (int i = 0; i < 600; ++i) add({}, 1'300'001);
  EXPECT_EQ(senders(1'300'001).size(), 1U) << "what is kept gets old as well";
}

TEST_F(IdLogTest, StaysBoundedWhereEverybodyHasFew) {
  open({.ids = 500, .age = 5min});
  for (std::uint64_t number = 0; number < 3'000; number += 10) {
    std::vector<StoredId> ids;
    for (std::uint64_t i = 0; i < 10; ++i) ids.push_back(id_of(number + i, number + i));
    add(ids, 1'000'000);
    ASSERT_LE(log_->size(), 520U);
  }
}

TEST_F(IdLogTest, PassesOverADamagedRow) {
  open({.ids = 100, .age = 5min});
  add({id_of(1, 1)}, 1'000'000);
  add({id_of(2, 2)}, 1'000'000);
  ASSERT_TRUE(opened_.database.execute(
      "UPDATE recent SET ids = zeroblob(48) WHERE seq = (SELECT min(seq) FROM recent)"));
  open({.ids = 100, .age = 5min});
  const auto found = read(1'000'000);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, id_of(2, 2));
}

}  // namespace
}  // namespace sluice::hub::store
