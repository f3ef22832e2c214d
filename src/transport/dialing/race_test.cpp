#include "transport/dialing/race.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::dialing {
namespace {

using namespace std::chrono_literals;
using Room = Race::Room;

const TimePoint kStart{1h};

std::vector<Address> addresses(std::initializer_list<const char*> texts) {
  std::vector<Address> all;
  for (const char* text : texts) all.push_back(boost::asio::ip::make_address(text));
  return all;
}

std::string tried(Race& race, TimePoint now, Room room = Room::more) {
  const auto step = race.next(now, room);
  return step ? step->address.to_string() : "none";
}

TEST(Race, TriesTheNextAddressAfterAQuarterOfASecond) {
  Race race;
  race.found(Family::v6, addresses({"2001:db8::1"}), kStart);
  race.found(Family::v4, addresses({"192.0.2.1"}), kStart);
  EXPECT_EQ(tried(race, kStart), "2001:db8::1");
  EXPECT_EQ(tried(race, kStart + 249ms), "none");
  EXPECT_EQ(race.next_deadline(), kStart + 250ms);
  EXPECT_EQ(tried(race, kStart + 250ms), "192.0.2.1");
  EXPECT_EQ(race.next_deadline(), std::nullopt);
  EXPECT_FALSE(race.lost());
}

TEST(Race, TriesTheNextAddressAtOnceWhenAnAttemptFails) {
  Race race;
  race.found(Family::v6, addresses({"::1"}), kStart);
  race.found(Family::v4, addresses({"127.0.0.1"}), kStart);
  race.failed(race.next(kStart, Room::more)->id);
  EXPECT_EQ(tried(race, kStart), "127.0.0.1");
}

TEST(Race, AlternatesBetweenTheFamilies) {
  Race race;
  race.found(Family::v4, addresses({"192.0.2.1", "192.0.2.2"}), kStart);
  race.found(Family::v6, addresses({"2001:db8::1", "2001:db8::2", "2001:db8::3"}), kStart);
  std::vector<std::string> order;
  for (int i = 0; i < 5; ++i) {
    const auto step = race.next(kStart, Room::more);
    ASSERT_TRUE(step);
    order.push_back(step->address.to_string());
    race.failed(step->id);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2",
                                             "2001:db8::3"}));
  EXPECT_TRUE(race.lost());
}

TEST(Race, LetsIpv4WaitOnlyAMomentForASilentIpv6LookUp) {
  Race race;
  race.found(Family::v4, addresses({"192.0.2.1"}), kStart);
  EXPECT_EQ(tried(race, kStart), "none");
  EXPECT_EQ(race.next_deadline(), kStart + 50ms);
  EXPECT_EQ(tried(race, kStart + 50ms), "192.0.2.1");
  EXPECT_FALSE(race.lost());
  race.found(Family::v6, addresses({"2001:db8::1"}), kStart + 60ms);
  EXPECT_EQ(tried(race, kStart + 300ms), "2001:db8::1");
}

TEST(Race, BeginsWithIpv6WithoutWaitingForIpv4) {
  Race race;
  race.found(Family::v6, addresses({"2001:db8::1"}), kStart);
  EXPECT_EQ(tried(race, kStart), "2001:db8::1");
}

TEST(Race, IsLostOnlyWhenBothLookUpsHaveEndedAndEveryAddressHasFailed) {
  Race race;
  race.found(Family::v6, {}, kStart);
  EXPECT_FALSE(race.lost());
  race.found(Family::v4, addresses({"192.0.2.1"}), kStart);
  EXPECT_FALSE(race.lost());
  const auto step = race.next(kStart, Room::more);
  ASSERT_TRUE(step);
  EXPECT_FALSE(race.lost());
  race.failed(step->id);
  EXPECT_TRUE(race.lost());
}

TEST(Race, StaysWithOneAttemptWhileThereIsNoRoomForMore) {
  Race race;
  race.found(Family::v6, {}, kStart);
  race.found(Family::v4, addresses({"192.0.2.1", "192.0.2.2"}), kStart);
  EXPECT_EQ(tried(race, kStart, Room::first_only), "192.0.2.1");
  EXPECT_EQ(tried(race, kStart + 250ms, Room::first_only), "none");
  EXPECT_EQ(race.next_deadline(), kStart + 500ms);  // asks again
  EXPECT_EQ(tried(race, kStart + 500ms, Room::more), "192.0.2.2");
}

TEST(Race, ReplacesADeadAddressThoughThereIsNoRoomForMore) {
  Race race;
  race.found(Family::v6, {}, kStart);
  race.found(Family::v4, addresses({"192.0.2.1", "192.0.2.2", "192.0.2.3"}), kStart);
  auto last = race.next(kStart, Room::first_only);
  ASSERT_TRUE(last);
  TimePoint begun = kStart;
  for (const char* const expected : {"192.0.2.2", "192.0.2.3"}) {
    std::optional<Race::Step> step;
    TimePoint now = begun;
    while (!step) {
      ASSERT_TRUE(race.next_deadline());
      now = *race.next_deadline();
      ASSERT_LE(now, begun + limits::kAttemptPatience + limits::kAttemptDelay);
      step = race.next(now, Room::first_only);
    }
    EXPECT_GE(now, begun + limits::kAttemptPatience);
    EXPECT_EQ(step->address.to_string(), expected);
    EXPECT_EQ(step->gives_way, last->id);
    last = step;
    begun = now;
  }
  EXPECT_EQ(race.next_deadline(), std::nullopt);  // the last one is waited for
  EXPECT_TRUE(race.in_flight());
}

TEST(Race, LetsTheOldestAttemptGiveWayOnceItHasHadItsTime) {
  Race race{{.at_once = 2}};
  race.found(Family::v6, {}, kStart);
  race.found(Family::v4, addresses({"192.0.2.1", "192.0.2.2", "192.0.2.3"}), kStart);
  const auto first = race.next(kStart, Room::more);
  ASSERT_TRUE(first && race.next(kStart + 250ms, Room::more));
  EXPECT_EQ(tried(race, kStart + 1999ms), "none");
  const auto third = race.next(kStart + 2s, Room::more);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->address.to_string(), "192.0.2.3");
  EXPECT_EQ(third->gives_way, first->id);
}

TEST(Race, TriesABoundedNumberOfAddresses) {
  Race race{{.addresses = 1}};
  race.found(Family::v6, {}, kStart);
  race.found(Family::v4, addresses({"192.0.2.1", "192.0.2.2"}), kStart);
  race.failed(race.next(kStart, Room::more)->id);
  EXPECT_TRUE(race.lost());
}

}  // namespace
}  // namespace sluice::dialing
