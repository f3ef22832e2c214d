#include "transport/websocket/admission.hpp"

#include <gtest/gtest.h>

namespace sluice::websocket {
namespace {

using Verdict = Admission::Verdict;

TEST(Admission, LimitsTheTotalEachAddressAndHandshakes) {
  Admission admission{{.connections = 4, .connections_per_address = 2, .handshakes = 3}};
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  EXPECT_EQ(admission.enter("a"), Verdict::address_full);
  EXPECT_EQ(admission.enter("b"), Verdict::admitted);
  EXPECT_EQ(admission.enter("b"), Verdict::too_many_handshakes);
  admission.handshake_ended("a");
  EXPECT_EQ(admission.enter("b"), Verdict::admitted);
  EXPECT_EQ(admission.enter("c"), Verdict::full);
  admission.leave("a");
  admission.handshake_ended("b");
  EXPECT_EQ(admission.enter("c"), Verdict::admitted);
}

TEST(Admission, LetsOthersInWhileOneAddressOnlyOpensConnections) {
  Admission admission{{}};
  for (std::size_t i = 0; i < limits::kMaxHandshakesPerAddress; ++i) {
    ASSERT_EQ(admission.enter("silent"), Verdict::admitted);
  }
  EXPECT_EQ(admission.enter("silent"), Verdict::address_handshakes);
  EXPECT_EQ(admission.enter("other"), Verdict::admitted);
  admission.handshake_ended("silent");
  EXPECT_EQ(admission.enter("silent"), Verdict::admitted);
  EXPECT_EQ(admission.enter("silent"), Verdict::address_handshakes);
}

TEST(Admission, LetsAnAddressHaveAllItsConnectionsOnceTheirHandshakesAreOver) {
  Admission admission{{}};
  for (std::size_t i = 0; i < limits::kMaxConnectionsPerAddress; ++i) {
    ASSERT_EQ(admission.enter("office"), Verdict::admitted);
    admission.handshake_ended("office");
  }
  EXPECT_EQ(admission.enter("office"), Verdict::address_full);
}

TEST(Admission, CountsWhatHasNoBlockInTheTotalsAlone) {
  Admission admission{
      {.connections = 3, .connections_per_address = 1, .handshakes = 2, .handshakes_per_address = 1}};
  EXPECT_EQ(admission.enter(""), Verdict::admitted);
  EXPECT_EQ(admission.enter(""), Verdict::admitted);
  EXPECT_EQ(admission.enter(""), Verdict::too_many_handshakes);
  EXPECT_EQ(admission.addresses(), 0U);
  admission.handshake_ended("");
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  EXPECT_EQ(admission.enter(""), Verdict::full);
  admission.leave("");
  admission.handshake_ended("a");
  EXPECT_EQ(admission.enter(""), Verdict::admitted);
}

TEST(Admission, TakesOtherLimitsForThoseThatEnter) {
  Admission admission{{.connections_per_address = 2}};
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  admission.set_limits({.connections_per_address = 3});
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
  EXPECT_EQ(admission.enter("a"), Verdict::address_full);
  admission.set_limits({.connections_per_address = 1, .handshakes = 4});
  EXPECT_EQ(admission.connections(), 3U) << "who is in stays";
  EXPECT_EQ(admission.enter("b"), Verdict::admitted);
  EXPECT_EQ(admission.enter("c"), Verdict::too_many_handshakes);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(admission.enter("a"), Verdict::address_full) << "those that are in count";
    admission.handshake_ended("a");
    admission.leave("a");
  }
  EXPECT_EQ(admission.enter("a"), Verdict::admitted);
}

TEST(Admission, ForgetsAddressesThatAreGone) {
  Admission admission{{}};
  ASSERT_EQ(admission.enter("a"), Verdict::admitted);
  admission.handshake_ended("a");
  admission.leave("a");
  EXPECT_EQ(admission.addresses(), 0U);
  EXPECT_EQ(admission.connections(), 0U);
  EXPECT_EQ(admission.handshakes(), 0U);
}

}  // namespace
}  // namespace sluice::websocket
