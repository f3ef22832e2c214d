#include <string>

#include <gtest/gtest.h>

#include "hub/auth/claims.hpp"

namespace sluice::hub::auth {
namespace {

constexpr wire::hub::UnixMs kNow = 1'700'000'000'000;

auto read(const std::string& sluice) {
  return read_claims(R"({"sub":"backend","exp":1700001000,"sluice":)" + sluice + "}", {}, kNow);
}

TEST(ClaimedLimits, AreReadBesideTheRights) {
  const auto backend = read(
      R"({"all":true,"limits":{"messages_per_second":20000,"message_burst":40000,"bytes_per_second":41943040,)"
      R"("byte_burst":83886080,"connections":64,"unanswered":8192,"later":"ignored"}})");
  ASSERT_TRUE(backend) << backend.error().message;
  EXPECT_EQ(backend->limits, (Limits{.messages_per_second = 20'000,
                                     .message_burst = 40'000,
                                     .bytes_per_second = 41'943'040,
                                     .byte_burst = 83'886'080,
                                     .connections = 64,
                                     .unanswered = 8'192}));
  EXPECT_TRUE(backend->rights.all);
}

TEST(ClaimedLimits, AreTheHubsUsualWhereATokenHasNone) {
  for (const char* sluice : {"{}", R"({"limits":{}})"}) {
    const auto browser = read(sluice);
    ASSERT_TRUE(browser) << browser.error().message;
    EXPECT_EQ(browser->limits, Limits{});
  }
}

TEST(ClaimedLimits, AreWholeNumbersAboveZero) {
  for (const char* figure : {"0", "-1", "1.5", "\"10\"", "null", "true", "1e400", "[1]"}) {
    const auto token = read(std::string{R"({"limits":{"connections":)"} + figure + "}}");
    EXPECT_FALSE(token) << figure;
  }
  EXPECT_FALSE(read(R"({"limits":[]})"));
  EXPECT_FALSE(read(R"({"limits":5})"));
}

}  // namespace
}  // namespace sluice::hub::auth
