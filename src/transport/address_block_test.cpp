#include "transport/address_block.hpp"

#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

TEST(AddressBlock, KeepsIpv4AndUnwrapsMappedOnes) {
  EXPECT_EQ(address_block("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(address_block("::ffff:192.0.2.7"), "192.0.2.7");
}

TEST(AddressBlock, CountsIpv6ByItsSubnet) {
  EXPECT_EQ(address_block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(address_block("2001:db8:1:2::9"), address_block("2001:db8:1:2:ffff::1"));
  EXPECT_NE(address_block("2001:db8:1:2::9"), address_block("2001:db8:1:3::9"));
  EXPECT_EQ(address_block("fe80::1%eth0"), "fe80::/64");
}

TEST(AddressBlock, LeavesWhatIsNoAddress) {
  EXPECT_EQ(address_block("somewhere"), "somewhere");
}

}  // namespace
}  // namespace sluice::transport
