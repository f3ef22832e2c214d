#include "transport/fair_slots.hpp"

#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

using namespace std::chrono_literals;
using Ids = std::vector<FairSlots::Id>;

constexpr TimePoint kNow{1h};

AddressBlocks at(const std::string& address) {
  return address_blocks(address);
}

TEST(FairSlots, GiveTheNewcomerTheSlotThatWasHeldForLongest) {
  FairSlots slots{2};
  EXPECT_EQ(slots.take(1, at("192.0.2.1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(2, at("192.0.2.1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(3, at("192.0.2.1"), kNow), 1U);
  slots.give_back(2);
  EXPECT_EQ(slots.take(4, at("192.0.2.1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(5, at("192.0.2.1"), kNow), 3U);
  slots.give_back(3);  // nothing happens: it gave way
  EXPECT_EQ(slots.size(), 2U);
}

TEST(FairSlots, TakeThemFromTheBlockThatHoldsMost) {
  FairSlots slots{4};
  EXPECT_EQ(slots.take(1, at("192.0.2.1"), kNow), std::nullopt);
  for (FairSlots::Id id = 2; id <= 4; ++id) EXPECT_EQ(slots.take(id, at("198.51.100.1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(5, at("203.0.113.1"), kNow), 2U) << "not the oldest of all";
  EXPECT_EQ(slots.take(6, at("203.0.113.2"), kNow), 3U);
  EXPECT_EQ(slots.take(7, at("203.0.113.3"), kNow), 1U) << "each block has one: the oldest of all";
  EXPECT_FALSE(slots.holds(1));
}

TEST(FairSlots, CountTheNetworksOfIpv6) {
  FairSlots slots{4};
  EXPECT_EQ(slots.take(1, at("192.0.2.1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(2, at("2001:db8:1:1::1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(3, at("2001:db8:1:2::1"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(4, at("2001:db8:1:2::2"), kNow), std::nullopt);
  EXPECT_EQ(slots.take(5, at("192.0.2.2"), kNow), 3U) << "of the /48 that holds most, the /64 that does";
  EXPECT_EQ(slots.take(6, at("192.0.2.3"), kNow), 2U);
}

TEST(FairSlots, AreLeftShorterTheMoreAreTaken) {
  const Patience patience{.longest = 10s, .shortest = 1s};
  FairSlots slots{100};
  EXPECT_EQ(slots.allowed(patience), 10s);
  for (FairSlots::Id id = 1; id <= 25; ++id) (void)slots.take(id, at("192.0.2.1"), kNow);
  EXPECT_EQ(slots.allowed(patience), 10s);
  for (FairSlots::Id id = 26; id <= 50; ++id) (void)slots.take(id, at("192.0.2.1"), kNow);
  EXPECT_EQ(slots.allowed(patience), 7s);
  for (FairSlots::Id id = 51; id <= 100; ++id) (void)slots.take(id, at("192.0.2.1"), kNow);
  EXPECT_EQ(slots.allowed(patience), 1s);
  EXPECT_EQ(slots.allowed({.longest = 1s, .shortest = 2s}), 1s);
}

TEST(FairSlots, AreTakenFromThoseThatHaveHadThemForTooLong) {
  const Patience patience{.longest = 10s, .shortest = 1s};
  FairSlots slots{4};
  for (FairSlots::Id id = 1; id <= 4; ++id) (void)slots.take(id, at("192.0.2.1"), kNow + id * 1s);
  EXPECT_EQ(slots.expire(kNow + 4s, patience), Ids{1}) << "one is over; the others may have 4 s then";
  EXPECT_EQ(slots.expire(kNow + 6s, patience), Ids{2});
  EXPECT_EQ(slots.expire(kNow + 9s, patience), Ids{});
  EXPECT_EQ(slots.size(), 2U);
}

TEST(FairSlots, KeepTheirTimeWhereTheAddressIsCorrected) {
  FairSlots slots{3};
  for (FairSlots::Id id = 1; id <= 3; ++id) (void)slots.take(id, at("192.0.2.1"), kNow);
  slots.move(1, at("198.51.100.1"));
  EXPECT_EQ(slots.held_by(at("192.0.2.1")), 2U);
  EXPECT_EQ(slots.held_by(at("198.51.100.1")), 1U);
  EXPECT_EQ(slots.take(4, at("203.0.113.1"), kNow), 2U);
  EXPECT_EQ(slots.take(5, at("203.0.113.2"), kNow), 1U) << "as old as before";
}

TEST(FairSlots, AreEvictedFromOneBlockWhenAsked) {
  FairSlots slots{10};
  (void)slots.take(1, at("192.0.2.1"), kNow);
  (void)slots.take(2, at("2001:db8:1:1::1"), kNow);
  (void)slots.take(3, at("2001:db8:1:2::1"), kNow);
  EXPECT_EQ(slots.evict_from("2001:db8:1:2::/64"), 3U);
  EXPECT_EQ(slots.evict_from("2001:db8:1:2::/64"), std::nullopt);
  EXPECT_EQ(slots.evict_from("2001:db8:1::/48"), 2U);
  EXPECT_EQ(slots.evict_from("2001:db8:1::/48"), std::nullopt);
  EXPECT_EQ(slots.evict_from("192.0.2.1"), 1U);
  EXPECT_EQ(slots.evict(), std::nullopt);
}

TEST(FairSlots, HoldTheirBoundAndTheirBooksWhateverHappens) {
  const std::array<std::string, 5> addresses = {"192.0.2.1", "192.0.2.2", "2001:db8:1:1::1",
                                                "2001:db8:1:2::1", "2001:db8:2::1"};
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 dice{seed};
    FairSlots slots{8};
    std::map<FairSlots::Id, AddressBlocks> held;
    FairSlots::Id last = 0;
    for (int step = 0; step < 300; ++step) {
      const AddressBlocks from = at(addresses.at(dice() % addresses.size()));
      const FairSlots::Id some =
          held.empty() ? 0
                       : std::next(held.begin(), static_cast<std::ptrdiff_t>(dice() % held.size()))->first;
      switch (dice() % 4) {
        case 0:
          slots.give_back(some);
          held.erase(some);
          break;
        case 1:
          slots.move(some, from);
          if (held.contains(some)) held[some] = from;
          break;
        default:
          held.emplace(++last, from);
          if (const auto gone = slots.take(last, from, kNow)) {
            EXPECT_EQ(held.erase(*gone), 1U) << "seed " << seed;
          }
      }
      ASSERT_LE(slots.size(), 8U);
      ASSERT_EQ(slots.size(), held.size()) << "seed " << seed;
      std::size_t largest = 0;
      for (const std::string& address : addresses) {
        const auto is_there = [&](const auto& entry) { return entry.second.wide == at(address).wide; };
        const auto count = static_cast<std::size_t>(std::ranges::count_if(held, is_there));
        ASSERT_EQ(slots.held_by(at(address)), count) << "seed " << seed;
        largest = std::max(largest, count);
      }
      ASSERT_EQ(slots.largest_share(), largest);
    }
  }
}

}  // namespace
}  // namespace sluice::transport
