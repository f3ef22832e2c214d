#include "hub/service/greetings.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::service {
namespace {

TEST(Greetings, CountInAllAndFromEachAddress) {
  Greetings greetings;
  greetings.begin("192.0.2.1");
  greetings.begin("192.0.2.1");
  greetings.begin("2001:db8::1");
  EXPECT_EQ(greetings.all(), 3U);
  EXPECT_EQ(greetings.from("192.0.2.1"), 2U);
  EXPECT_EQ(greetings.from("2001:db8::2"), 1U) << "one subscriber's";
  EXPECT_EQ(greetings.from("192.0.2.2"), 0U);
  greetings.end("192.0.2.1");
  EXPECT_EQ(greetings.all(), 2U);
  EXPECT_EQ(greetings.from("192.0.2.1"), 1U);
}

TEST(Greetings, HaveNoShareOnThisMachine) {
  Greetings greetings;
  for (const char* const own : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}) {
    greetings.begin(own);
    EXPECT_EQ(greetings.from(own), 0U) << own;
  }
  EXPECT_EQ(greetings.all(), 4U);
  greetings.end("::1");
  EXPECT_EQ(greetings.all(), 3U);
}

}  // namespace
}  // namespace sluice::hub::service
