#include "transport/forwarded.hpp"

#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

using Lines = std::vector<std::string_view>;

TrustedProxies trusted(const std::vector<std::string>& texts) {
  auto parsed = TrustedProxies::parse(texts);
  EXPECT_TRUE(parsed);
  return parsed ? *parsed : TrustedProxies{};
}

TEST(TrustedProxies, AreAddressesAndNetworks) {
  const TrustedProxies proxies = trusted({"10.0.0.0/8", "192.0.2.7", "fd00::/8", "172.16.0.0/12", "::1"});
  for (const char* const address :
       {"10.0.0.1", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "fd12::1", "172.31.0.1", "::1"}) {
    EXPECT_TRUE(proxies.contains(address)) << address;
  }
  for (const char* const address :
       {"11.0.0.1", "192.0.2.8", "fe00::1", "172.32.0.1", "::2", "", "x", "10.0.0"}) {
    EXPECT_FALSE(proxies.contains(address)) << address;
  }
  EXPECT_TRUE(trusted({"0.0.0.0/0"}).contains("203.0.113.9"));
  EXPECT_FALSE(trusted({"0.0.0.0/0"}).contains("2001:db8::1"));
  EXPECT_FALSE(TrustedProxies{}.contains("127.0.0.1"));
}

TEST(TrustedProxies, AreRefusedWhenTheyAreNone) {
  for (const char* const text : {"", "proxy.example", "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/8x",
                                 "10.0.0.0/-1", "10.0.0/8", "fe80::1%eth0"}) {
    EXPECT_FALSE(TrustedProxies::parse({text})) << text;
  }
  EXPECT_FALSE(TrustedProxies::parse(std::vector<std::string>(65, "10.0.0.1")));
}

class ForwardedClient : public ::testing::Test {
 protected:
  std::string x_forwarded_for(const Lines& lines) { return of(Forwarding::x_forwarded_for, lines); }
  std::string forwarded(const Lines& lines) { return of(Forwarding::forwarded, lines); }
  std::string of(Forwarding field, const Lines& lines) {
    return forwarded_client(field, lines, proxies).value_or("none");
  }
  TrustedProxies proxies = trusted({"10.0.0.0/8"});
};

TEST_F(ForwardedClient, IsTheLastHopThatIsNoProxy) {
  EXPECT_EQ(x_forwarded_for({"192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(x_forwarded_for({"6.6.6.6, 192.0.2.1"}), "192.0.2.1")
      << "what stands in front is anybody's invention";
  EXPECT_EQ(x_forwarded_for({"6.6.6.6, 192.0.2.1 ,\t10.0.0.3"}), "192.0.2.1");
  EXPECT_EQ(x_forwarded_for({"6.6.6.6", "192.0.2.1", "10.0.0.3"}), "192.0.2.1") << "lines are one list";
  EXPECT_EQ(x_forwarded_for({"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(x_forwarded_for({"[2001:DB8::1]:80"}), "2001:db8::1");
  EXPECT_EQ(x_forwarded_for({"192.0.2.1:4711"}), "192.0.2.1");
  EXPECT_EQ(x_forwarded_for({"::ffff:192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(x_forwarded_for({"10.0.0.2, 10.0.0.3"}), "10.0.0.2") << "proxies alone: the first of them";
}

TEST_F(ForwardedClient, IsNobodyBehindAHopThatMakesNoSense) {
  EXPECT_EQ(x_forwarded_for({}), "none");
  EXPECT_EQ(x_forwarded_for({""}), "none");
  EXPECT_EQ(x_forwarded_for({"192.0.2.1, unknown"}), "none");
  EXPECT_EQ(x_forwarded_for({"192.0.2.1,"}), "none");
  EXPECT_EQ(x_forwarded_for({"192.0.2.1, somewhere, 10.0.0.3"}), "10.0.0.3");
}

TEST_F(ForwardedClient, IsNamedByForwardedAsRfc7239Says) {
  EXPECT_EQ(forwarded({"for=192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(forwarded({R"(for="[2001:db8:cafe::17]:4711")"}), "2001:db8:cafe::17");
  EXPECT_EQ(forwarded({"For=192.0.2.43, FOR=198.51.100.17;by=203.0.113.60;proto=http;host=example.com"}),
            "198.51.100.17");
  EXPECT_EQ(forwarded({R"(host="a,b;for=6.6.6.6";for=192.0.2.1)"}), "192.0.2.1") << "quoted";
  EXPECT_EQ(forwarded({"for=6.6.6.6, for=192.0.2.1", "for=10.1.1.1"}), "192.0.2.1");
  EXPECT_EQ(forwarded({"for=_hidden"}), "none");
  EXPECT_EQ(forwarded({"for=unknown"}), "none");
  EXPECT_EQ(forwarded({"proto=http"}), "none");
  EXPECT_EQ(forwarded({"192.0.2.1"}), "none");
  EXPECT_EQ(forwarded({R"(for="192.0.2.1)"}), "none");
}

TEST_F(ForwardedClient, IsNotHiddenByQuotesThatAClientLeavesOpen) {
  for (const std::string_view line :
       {R"(for=9.9.9.9;x=", for=1.2.3.4)", R"(for="x, for=1.2.3.4)", R"(for=9.9.9.9;x="\, for=1.2.3.4)",
        R"(for=9.9.9.9;x=", for="1.2.3.4")", R"(for=9.9.9.9;x=", for="1.2.3.4", for="10.0.0.3")",
        R"(for=9.9.9.9;x="a\", for=1.2.3.4, for=10.0.0.3)"}) {
    EXPECT_EQ(forwarded({line}), "1.2.3.4") << line;
  }
  EXPECT_EQ(x_forwarded_for({R"(9.9.9.9, ", 1.2.3.4)"}), "1.2.3.4");
  EXPECT_EQ(forwarded({R"(for=9.9.9.9;x=")", "for=1.2.3.4"}), "1.2.3.4") << "each line has quotes of its own";
}

TEST_F(ForwardedClient, LooksAtSoManyHopsOnly) {
  std::string line = "192.0.2.1";
  for (int i = 0; i < 100; ++i) line += ", 10.0.0.1";
  EXPECT_EQ(x_forwarded_for({line}), "10.0.0.1");
}

}  // namespace
}  // namespace sluice::transport
