#include "hub/gateway/allowance.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

TEST(Allowance, IsTheOperatorsUsualWhereATokenSaysNothing) {
  const Allowance usual = allowance({}, {});
  EXPECT_EQ(usual.connection.messages.tokens, limits::kMessagesPerSecond);
  EXPECT_EQ(usual.connection.messages.burst, limits::kMessageBurst);
  EXPECT_EQ(usual.user.bytes.tokens, 2 * limits::kBytesPerSecond.count());
  EXPECT_EQ(usual.connections, limits::kConnectionsPerUser);
  EXPECT_EQ(usual.unanswered, limits::kUnanswered);
}

TEST(Allowance, IsMoreForABackendWithinTheOperatorsMaxima) {
  const Allowance backend =
      allowance({.messages_per_second = 10'000, .connections = 64, .unanswered = 8'000}, {});
  EXPECT_EQ(backend.connection.messages.tokens, 10'000U);
  EXPECT_EQ(backend.connection.messages.burst, 20'000U);
  EXPECT_EQ(backend.user.messages.tokens, 20'000U);
  EXPECT_EQ(backend.connection.bytes.tokens, limits::kBytesPerSecond.count()) << "it asks for nothing there";
  EXPECT_EQ(backend.connections, 64U);
  EXPECT_EQ(backend.unanswered, 8'000U);
  const Allowance greedy = allowance({.messages_per_second = 1'000'000'000,
                                      .message_burst = 1'000'000'000,
                                      .bytes_per_second = 1'000'000'000,
                                      .connections = 1'000'000,
                                      .unanswered = 1'000'000},
                                     {});
  const Most most{};
  EXPECT_EQ(greedy.connection.messages.tokens, most.rates.messages.tokens);
  EXPECT_EQ(greedy.connection.messages.burst, most.rates.messages.burst);
  EXPECT_EQ(greedy.connection.bytes.tokens, most.rates.bytes.tokens);
  EXPECT_EQ(greedy.connections, most.connections);
  EXPECT_EQ(greedy.unanswered, most.unanswered);
}

TEST(Allowance, IsLessForABrowserAndStillTakesTheLargestMessage) {
  const Allowance browser =
      allowance({.messages_per_second = 5, .bytes_per_second = 1'000, .unanswered = 8}, {});
  EXPECT_EQ(browser.connection.messages.tokens, 5U);
  EXPECT_EQ(browser.user.messages.tokens, 10U);
  EXPECT_EQ(browser.connection.bytes.burst, limits::kMaxEnvelope.count());
  EXPECT_EQ(browser.unanswered, 8U);
}

}  // namespace
}  // namespace sluice::hub
