#include "api/tunnel_resources.hpp"

#include <deque>
#include <string>

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

using namespace literals;

TEST(TunnelResources, HaveRoomForAllSessionsAndRejectOneMore) {
  const TunnelResources resources{{}, {.sessions = 2}};
  EXPECT_EQ(resources.rejection(0), std::nullopt);
  EXPECT_EQ(resources.rejection(1), std::nullopt);
  const auto why = resources.rejection(2);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, Errc::busy);
}

TEST(TunnelResources, RejectASessionThatTheMemoryLimitLeavesNoRoomFor) {
  const TunnelResources resources{{}, {.memory = limits::kMinTunnelMemory}};
  EXPECT_EQ(resources.rejection(1), std::nullopt);
  const auto why = resources.rejection(2);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, Errc::busy);
  EXPECT_NE(why->message.find("--memory-limit"), std::string::npos);
}

TEST(TunnelResources, BoundTheWindowsOfAllSessionsTogether) {
  const TunnelResources resources{{}, {.memory = 128_MiB}};
  std::deque<flow::SessionBudget> sessions;
  Bytes promised;
  for (int i = 0; i < 8; ++i) {
    auto& session = sessions.emplace_back(resources.session_options().budget);
    while (session.reserve(limits::kFirstWindow)) {
    }
    EXPECT_GT(session.stats().windows, 0U) << i;
    promised += session.stats().memory;
  }
  EXPECT_LE(promised + limits::kSessionMemory * 16, 128_MiB);  // half of it is for the sessions themselves
}

}  // namespace
}  // namespace sluice::api
