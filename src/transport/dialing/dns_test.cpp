#include "transport/dialing/dns.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::dialing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// One question, and these records behind it.
std::string message(std::uint8_t answers, const std::string& records) {
  return "\x12\x34\x81\x80\0\1\0"s + static_cast<char>(answers) + "\0\0\0\0"s + "\2db\7example\0\0\1\0\1"s +
         records;
}

/// A record for the name in the question, by a pointer to it.
std::string record(const std::string& ttl, const std::string& data = "\0\4\xC0\0\2\1"s) {
  return "\xC0\x0C\0\1\0\1"s + ttl + data;
}

TEST(LifeOfAnswers, IsTheShortestOfThem) {
  const std::string two = record("\0\0\1\x2C"s) + record("\0\0\0\x3C"s);
  EXPECT_EQ(life_of_answers(as_bytes(message(2, two))), Duration{60s});
}

TEST(LifeOfAnswers, TakesNegativeOnesForNothing) {
  EXPECT_EQ(life_of_answers(as_bytes(message(1, record("\x80\0\0\0"s)))), Duration{0s});
}

TEST(LifeOfAnswers, IsUnknownWithoutAnAnswer) {
  EXPECT_EQ(life_of_answers(as_bytes(message(0, {}))), std::nullopt);
}

TEST(LifeOfAnswers, IsUnknownWhenTheMessageIsCutOffAnywhere) {
  const std::string whole = message(1, record("\0\0\0\x3C"s));
  ASSERT_EQ(life_of_answers(as_bytes(whole)), Duration{60s});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(life_of_answers(as_bytes(std::string_view{whole}.substr(0, size))), std::nullopt) << size;
}

TEST(HostsFile, NamesHostsAndTheirAliases) {
  constexpr std::string_view kFile =
      "# comment db.example\n127.0.0.1\tlocalhost\n\n192.0.2.1 db.example DB # web\n::1 ip6";
  EXPECT_TRUE(names_host(kFile, "localhost"));
  EXPECT_TRUE(names_host(kFile, "DB.example"));
  EXPECT_TRUE(names_host(kFile, "db"));
  EXPECT_TRUE(names_host(kFile, "ip6"));
  EXPECT_FALSE(names_host(kFile, "web"));
  EXPECT_FALSE(names_host(kFile, "192.0.2.1"));
  EXPECT_FALSE(names_host(kFile, "example"));
  EXPECT_FALSE(names_host({}, "db"));
}

}  // namespace
}  // namespace sluice::dialing
