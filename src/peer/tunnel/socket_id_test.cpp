#include "peer/tunnel/socket_id.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "peer/tunnel/closed_ids.hpp"

namespace sluice::tunnel {
namespace {

TEST(SocketId, IsProbedPastTakenOnesAndPastZero) {
  const std::set<wire::SocketId> taken{{0xFFFF'FFFF}, {1}, {2}};
  const auto is_taken = [&](wire::SocketId id) { return taken.contains(id); };
  EXPECT_EQ(probe_id(5, is_taken), wire::SocketId{5});
  EXPECT_EQ(probe_id(1, is_taken), wire::SocketId{3});
  EXPECT_EQ(probe_id(0xFFFF'FFFF, is_taken), wire::SocketId{3}) << "0 is the session's own";
}

TEST(SocketId, SpreadsNeighbouringPorts) {
  std::set<std::uint32_t> hashes;
  for (int port = 32'768; port < 61'000; ++port) {
    hashes.insert(socket_hash(as_bytes("127.0.0.1:" + std::to_string(port) + " 127.0.0.1:2222")));
  }
  EXPECT_GT(hashes.size(), 28'200U) << "of 28,232: a collision costs a probe, many would cost many";
}

TEST(ClosedIds, ForgetTheOldestForTheNewest) {
  ClosedIds closed{2};
  closed.add({1});
  closed.add({2});
  closed.add({1});
  closed.add({3});
  EXPECT_FALSE(closed.contains({1}));
  EXPECT_TRUE(closed.contains({2}));
  EXPECT_TRUE(closed.contains({3}));
  EXPECT_EQ(closed.size(), 2U);
}

}  // namespace
}  // namespace sluice::tunnel
