#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tunnel_world.hpp"

namespace sluice::sim {
namespace {

/// All that was wrong with a run, each once.
std::string told(std::vector<std::string> complaints) {
  std::ranges::sort(complaints);
  complaints.erase(std::ranges::unique(complaints).begin(), complaints.end());
  std::string text;
  for (const std::string& complaint : complaints) text += "\n  " + complaint;
  return text;
}

/// Blocks of seeds, so that a test runner can play them side by side. Optimised, a run takes half a
/// millisecond.
#ifdef NDEBUG
constexpr std::uint64_t kSeedsPerBlock = 1000;
#else
constexpr std::uint64_t kSeedsPerBlock = 200;
#endif
constexpr std::uint64_t kBlocks = 6;

class TunnelSimulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(TunnelSimulation, DeliversEveryByteOnceInOrderAndLeavesNothingOpen) {
  std::uint64_t first = GetParam() * kSeedsPerBlock;
  std::uint64_t last = first + kSeedsPerBlock;
  if (const char* asked = std::getenv("SLUICE_SEED")) {
    first = std::stoull(asked);
    last = first + 1;
  }
  for (std::uint64_t seed = first; seed < last; ++seed) {
    const Outcome outcome = play(seed);
    ASSERT_TRUE(outcome.complaints.empty())
        << "replay it with SLUICE_SEED=" << seed << told(outcome.complaints);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TunnelSimulation, testing::Range(std::uint64_t{0}, kBlocks));

/// A simulator that never gets where it hurts proves nothing: what runs must meet, over one block of seeds.
TEST(TunnelSimulationItself, MeetsWhatItIsFor) {
  tunnel::StreamTotals client;
  tunnel::StreamTotals host;
  std::size_t finished = 0;
  std::uint64_t gate_closed = 0;
  Duration without_credit{};
  std::uint64_t lost = 0;
  std::uint64_t stalled = 0;
  std::uint64_t refused = 0;
  const auto add = [](tunnel::StreamTotals& sum, const tunnel::StreamTotals& more) {
    sum.sent += more.sent;
    sum.early += more.early;
    sum.discarded += more.discarded;
    sum.held_peak = std::max(sum.held_peak, more.held_peak);
    for (std::size_t i = 0; i < tunnel::kIgnoredKinds; ++i) sum.ignored[i] += more.ignored[i];
    for (unsigned reason = 0; reason <= static_cast<unsigned>(wire::CloseReason::internal); ++reason) {
      const auto r = static_cast<wire::CloseReason>(reason);
      for (std::uint64_t n = 0; n < more.closes_sent.of(r); ++n) sum.closes_sent.count(r);
    }
  };
  for (std::uint64_t seed = 0; seed < kSeedsPerBlock; ++seed) {
    const Outcome outcome = play(seed);
    add(client, outcome.client.totals);
    add(host, outcome.host.totals);
    finished += outcome.finished;
    without_credit += outcome.client.without_credit + outcome.host.without_credit;
    gate_closed += outcome.client.gate.mark.times_closed + outcome.host.gate.mark.times_closed;
    refused += outcome.host.refused;
    lost += outcome.client_end == Errc::link_lost ? 1 : 0;
    stalled += outcome.client_end == Errc::stalled ? 1 : 0;
  }
  EXPECT_GT(finished, kSeedsPerBlock);
  EXPECT_GT(client.sent + host.sent, Bytes{10'000'000});
  EXPECT_GT(gate_closed, 200U);
  EXPECT_GT(without_credit, std::chrono::minutes{1});
  EXPECT_GT(client.early + host.early, 1000U);
  EXPECT_GT(client.discarded, Bytes{});
  EXPECT_GT(host.discarded, Bytes{});
  EXPECT_GT(client.held_peak, Bytes{50'000});
  EXPECT_GT(lost, 5U);
  EXPECT_GT(stalled, 0U);
  EXPECT_GT(refused, 2U);
  for (const auto why :
       {tunnel::Ignored::closed_socket, tunnel::Ignored::duplicate, tunnel::Ignored::stale_window}) {
    EXPECT_GT(client.ignored_for(why) + host.ignored_for(why), 10U) << name_of(why);
  }
  for (const auto reason : {wire::CloseReason::dial_failed, wire::CloseReason::reset,
                            wire::CloseReason::limit_reached, wire::CloseReason::shutting_down}) {
    EXPECT_GT(host.closes_sent.of(reason), 5U) << name_of(reason);
  }
}

}  // namespace
}  // namespace sluice::sim
