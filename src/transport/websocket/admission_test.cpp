#include "transport/websocket/admission.hpp"

#include <gtest/gtest.h>

namespace sluice::websocket {
namespace {

using namespace std::chrono_literals;
using Verdict = Admission::Verdict;
using Ids = std::vector<Admission::Id>;

class AdmissionTest : public testing::Test {
 protected:
  void start(AdmissionLimits limits) { admission.emplace(limits); }
  Admission::Decision enter(const std::string& address,
                            AdmissionSource::Share share = AdmissionSource::Share::counted) {
    return admission->enter(++last, source(address, share), now);
  }
  static AdmissionSource source(const std::string& address,
                                AdmissionSource::Share share = AdmissionSource::Share::counted) {
    return {.blocks = transport::address_blocks(address), .share = share};
  }
  /// Its request has been read.
  Verdict settle(const std::string& address) {
    const Verdict verdict = enter(address).verdict;
    if (verdict == Verdict::admitted) admission->handshake_ended(last);
    return verdict;
  }

  std::optional<Admission> admission;
  Admission::Id last = 0;
  TimePoint now{1h};
};

TEST_F(AdmissionTest, LimitsTheTotalAndEachAddress) {
  start({.connections = 4, .page_reserve = 0, .connections_per_address = 2});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.1"), Verdict::address_full);
  EXPECT_EQ(settle("192.0.2.2"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.3"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.4"), Verdict::full);
  admission->leave(1);
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
}

TEST_F(AdmissionTest, LimitsEachSiteOfIpv6) {
  start({.connections_per_address = 2, .connections_per_network = 3});
  EXPECT_EQ(settle("2001:db8:1:1::1"), Verdict::admitted);
  EXPECT_EQ(settle("2001:db8:1:1::2"), Verdict::admitted);
  EXPECT_EQ(settle("2001:db8:1:1::3"), Verdict::address_full);
  EXPECT_EQ(settle("2001:db8:1:2::1"), Verdict::admitted);
  EXPECT_EQ(settle("2001:db8:1:3::1"), Verdict::network_full);
  EXPECT_EQ(settle("2001:db8:2:1::1"), Verdict::admitted);
}

TEST_F(AdmissionTest, LetsTheOldestSilentOneGiveWayToANewcomer) {
  start({.handshakes = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(enter("192.0.2.1").give_way, Ids{});
  const auto decision = enter("192.0.2.2");
  EXPECT_EQ(decision.verdict, Verdict::admitted);
  EXPECT_EQ(decision.give_way, Ids{1});
  EXPECT_EQ(admission->connections(), 3U) << "it has left";
  admission->leave(1);
  EXPECT_EQ(admission->connections(), 3U);
}

TEST_F(AdmissionTest, LetsAVictimInWhateverTheOthersHold) {
  start({.handshakes = 256});
  for (int address = 0; address < 8; ++address) {
    for (int i = 0; i < 32; ++i) (void)enter("198.51.100." + std::to_string(address));
  }
  EXPECT_EQ(enter("192.0.2.1").verdict, Verdict::admitted);
  const Admission::Id victim = last;
  // They come back as often as they give way, and it is never the victim's turn.
  for (int i = 0; i < 10'000; ++i) {
    const auto decision = enter("198.51.100." + std::to_string(i % 8));
    EXPECT_EQ(decision.verdict, Verdict::admitted);
    ASSERT_NE(decision.give_way, Ids{victim});
  }
}

TEST_F(AdmissionTest, LeavesLessTimeTheMoreShakeHands) {
  start({.handshakes = 4, .request = {.longest = 10s, .shortest = 1s}});
  for (int i = 0; i < 3; ++i) (void)enter("192.0.2.1");
  now += 3s;
  EXPECT_EQ(enter("192.0.2.1").give_way, Ids{}) << "three of four may have 4 s, not less";
  now += 1s;
  EXPECT_EQ(enter("192.0.2.1").give_way, (Ids{1, 2})) << "four 1 s, three 4 s, and two more";
}

TEST_F(AdmissionTest, LetsOneThatShakesHandsGiveWayWhereItsAddressHasAllItsConnections) {
  start({.connections_per_address = 2});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(enter("192.0.2.1").verdict, Verdict::admitted);
  const auto decision = enter("192.0.2.1");
  EXPECT_EQ(decision.verdict, Verdict::admitted);
  EXPECT_EQ(decision.give_way, Ids{2});
  admission->handshake_ended(3);
  EXPECT_EQ(enter("192.0.2.1").verdict, Verdict::address_full);
}

TEST_F(AdmissionTest, KeepsAReserveForPagesThatSilentOnesDoNotUseUp) {
  start({.connections = 2, .page_reserve = 2});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.2"), Verdict::admitted);
  EXPECT_FALSE(admission->is_beyond_total());
  for (int i = 3; i < 10; ++i) {
    EXPECT_EQ(enter("192.0.2." + std::to_string(i)).verdict, Verdict::admitted) << i;
    EXPECT_TRUE(admission->is_beyond_total());
  }
  EXPECT_EQ(admission->connections(), 4U);
}

TEST_F(AdmissionTest, LetsTheOldestAnsweredOneOfTheLargestBlockGiveWayBeforeAnyThatShakesHands) {
  start({.connections = 1, .page_reserve = 4});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted) << "a WebSocket";
  const auto linger = [this](const std::string& address) {
    const auto decision = enter(address);
    EXPECT_EQ(decision.verdict, Verdict::admitted) << address;
    admission->answered(last, now);
    return decision.give_way;
  };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(linger("198.51.100.1"), Ids{});
  const auto decision = enter("192.0.2.2");
  EXPECT_EQ(decision.verdict, Verdict::admitted);
  EXPECT_EQ(decision.give_way, Ids{2});
  const Admission::Id probe = last;
  for (int i = 0; i < 100; ++i) {
    if (i == 50) admission->answered(probe, now);
    const Ids gone = linger("198.51.100.1");
    ASSERT_EQ(gone.size(), 1U) << i;
    ASSERT_NE(gone, Ids{probe}) << i << ": the only one that shakes hands, and then of the smaller address";
  }
  EXPECT_EQ(admission->connections(), 5U);
  admission->leave(probe);
  admission->answered(probe, now);
  EXPECT_EQ(admission->connections(), 4U) << "it has left";
}

TEST_F(AdmissionTest, EndsNobodyForOneThatItsOwnShareKeepsOut) {
  start({.connections = 3, .page_reserve = 0, .connections_per_address = 2});
  EXPECT_EQ(settle("198.51.100.1"), Verdict::admitted);
  EXPECT_EQ(settle("198.51.100.1"), Verdict::admitted);
  EXPECT_EQ(enter("192.0.2.1").verdict, Verdict::admitted);
  for (int i = 0; i < 10; ++i) {
    const auto decision = enter("198.51.100.1");
    EXPECT_EQ(decision.verdict, Verdict::address_full);
    EXPECT_EQ(decision.give_way, Ids{}) << "the victim still shakes hands";
  }
  EXPECT_EQ(admission->connections(), 3U);
}

TEST_F(AdmissionTest, CountsTheClientOfATrustedProxyOnceItIsKnown) {
  constexpr auto kExempt = AdmissionSource::Share::exempt;
  start({.connections_per_address = 1, .handshakes = 3});
  EXPECT_EQ(enter("10.0.0.1", kExempt).verdict, Verdict::admitted);
  EXPECT_EQ(enter("10.0.0.1", kExempt).verdict, Verdict::admitted);
  EXPECT_EQ(enter("10.0.0.1", kExempt).verdict, Verdict::admitted);
  EXPECT_EQ(admission->identify(1, source("192.0.2.1")), Verdict::admitted);
  EXPECT_EQ(admission->identify(2, source("192.0.2.1")), Verdict::address_full);
  EXPECT_EQ(admission->identify(3, source("192.0.2.2")), Verdict::admitted);
  EXPECT_EQ(enter("192.0.2.1").verdict, Verdict::admitted) << "the one that shakes hands gives way";
  EXPECT_EQ(admission->connections(), 3U);
}

TEST_F(AdmissionTest, TakesOtherLimitsForThoseThatEnter) {
  start({.connections_per_address = 2});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  admission->set_limits({.connections_per_address = 3});
  EXPECT_EQ(settle("192.0.2.1"), Verdict::admitted);
  EXPECT_EQ(settle("192.0.2.1"), Verdict::address_full);
  admission->set_limits({.connections_per_address = 1});
  EXPECT_EQ(admission->connections(), 3U) << "who is in stays";
  EXPECT_EQ(settle("192.0.2.1"), Verdict::address_full);
}

TEST_F(AdmissionTest, ForgetsAddressesThatAreGone) {
  start({});
  (void)enter("2001:db8::1");
  admission->leave(last);
  EXPECT_EQ(admission->addresses(), 0U);
  EXPECT_EQ(admission->connections(), 0U);
  EXPECT_EQ(admission->handshakes(), 0U);
}

}  // namespace
}  // namespace sluice::websocket
