#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hub/store/store.hpp"
#include "hub/store/testing.hpp"

/// An attacker who stores as much as they can, and a victim whose messages wait in the same inbox or the same
/// store.
namespace sluice::hub::store {
namespace {

using namespace literals;
using testing::group;
using testing::inbox;
using testing::Outcomes;
using testing::TemporaryFolder;

class FairRemoval : public ::testing::Test {
 protected:
  void open(Bytes bound = 64_MiB) {
    if (store) {
      ASSERT_TRUE(outcomes.of(ticket));
    }
    store.reset();
    auto opened = Store::open({.folder = folder.store(), .on_stored = outcomes.listener(), .bound = bound});
    ASSERT_TRUE(opened) << describe(opened.error());
    store = std::move(*opened);
  }
  void put(const std::string& from, const Conversation& to, std::size_t count, std::size_t size) {
    for (std::size_t i = 0; i < count; ++i) {
      auto what =
          testing::message(to, {.epoch = store->epoch(), .offset = ++heads[to]}, std::string(size, 'x'));
      what->from = from;
      what->sent_at = system_time();
      ASSERT_TRUE(store->append({.ticket = ++ticket, .message = std::move(what)}));
      if (ticket % 20 == 0) {
        ASSERT_TRUE(outcomes.of(ticket));
      }
    }
  }
  std::map<std::string, std::size_t> kept(const Conversation& of) {
    EXPECT_TRUE(outcomes.of(ticket));
    auto reader = store->open_reader();
    EXPECT_TRUE(reader) << describe(reader.error());
    std::map<std::string, std::size_t> senders;
    const auto page = reader->page(of, {}, {.messages = 100'000, .bytes = 256_MiB});
    EXPECT_TRUE(page) << describe(page.error());
    for (const StoredMessage& message : page->messages) ++senders[message.delivery.from];
    return senders;
  }
  void expect_books() {
    const Status checked = store->check_books();
    EXPECT_TRUE(checked) << describe(checked.error());
  }

  TemporaryFolder folder;
  Outcomes outcomes;
  std::map<Conversation, std::uint64_t> heads;
  std::uint64_t ticket = 0;
  std::unique_ptr<Store> store;
};

TEST_F(FairRemoval, KeepsWhatOthersHaveSentToAnInboxThatOneSenderFloods) {
  open();
  put("ann", inbox("bob"), 20, 100);
  put("eve", inbox("bob"), 578, 60'000);
  put("carl", inbox("bob"), 20, 10'000);
  put("eve", inbox("bob"), 100, 60'000);
  const auto senders = kept(inbox("bob"));
  EXPECT_EQ(senders.at("ann"), 20U) << "the oldest of all";
  EXPECT_EQ(senders.at("carl"), 20U);
  EXPECT_GT(senders.at("eve"), 200U) << "no more than must be";
  EXPECT_LT(senders.at("eve"), 290U);
  expect_books();
}

TEST_F(FairRemoval, KeepsWhatOthersHaveSentToAnInboxThatOneSenderFillsWithSmallMessages) {
  open();
  put("ann", inbox("bob"), 20, 100);
  put("eve", inbox("bob"), 11'000, 10);
  put("carl", inbox("bob"), 1, 10);
  const auto senders = kept(inbox("bob"));
  EXPECT_EQ(senders.at("ann"), 20U);
  EXPECT_EQ(senders.at("carl"), 1U);
  EXPECT_EQ(senders.at("eve"), limits::kKeptMessages - 21);
  expect_books();
}

TEST_F(FairRemoval, KeepsTheOldestOutOfAGroupAsEver) {
  open();
  put("ann", group("ops"), 20, 100);
  put("eve", group("ops"), 400, 60'000);
  EXPECT_FALSE(kept(group("ops")).contains("ann")) << "a group has one history";
  expect_books();
}

TEST_F(FairRemoval, KeepsWhatOthersHaveStoredWhenOneSenderFillsTheStore) {
  open(2_MiB);
  put("ann", inbox("bob"), 20, 100);
  put("ann", group("ops"), 20, 100);
  // Small conversations, each with less in it than bob's inbox.
  for (int i = 0; i < 4'000; ++i) put("eve", group("flood " + std::to_string(i)), 1, 1'000);
  EXPECT_EQ(kept(inbox("bob")).at("ann"), 20U);
  EXPECT_EQ(kept(group("ops")).at("ann"), 20U);
  EXPECT_GT(store->books().removed_for(Removal::evicted), 1'000U);
  expect_books();
}

TEST_F(FairRemoval, CountsWhoseMessagesThereAreAfterARestart) {
  open(2_MiB);
  put("ann", inbox("bob"), 20, 100);
  put("eve", group("flood"), 20, 50'000);
  open(2_MiB);
  for (int i = 0; i < 3'000; ++i) put("eve", group("flood " + std::to_string(i)), 1, 1'000);
  EXPECT_EQ(kept(inbox("bob")).at("ann"), 20U);
  EXPECT_GT(store->books().removed_for(Removal::evicted), 500U);
  expect_books();
}

}  // namespace
}  // namespace sluice::hub::store
