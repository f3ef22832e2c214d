#include "peer/tunnel/targets.hpp"

#include <gtest/gtest.h>

namespace sluice::tunnel {
namespace {

const Target kWeb{.name = "web", .host = "127.0.0.1", .port = 80};
const Target kSsh{.name = "ssh", .host = "::1", .port = 22};

TEST(Targets, GiveTheFirstForAnEmptyName) {
  const auto targets = Targets::make({kWeb, kSsh});
  EXPECT_EQ((*targets->find(""))->port, 80);
  EXPECT_EQ((*targets->find("ssh"))->port, 22);
}

TEST(Targets, DenyWhatIsNotNamed) {
  const auto targets = Targets::make({kWeb});
  EXPECT_EQ(targets->find("db").error().reason, wire::CloseReason::unknown_target);
  EXPECT_EQ(targets->find("127.0.0.1:22").error().reason, wire::CloseReason::not_allowed);
  EXPECT_EQ(Targets{}.find("").error().reason, wire::CloseReason::not_allowed);
}

TEST(Targets, AreToldOfByTheNameThatTheClientUsed) {
  EXPECT_EQ(told_of("db", wire::CloseReason::dial_failed), "db: connection refused");
  EXPECT_EQ(told_of("", wire::CloseReason::dial_timed_out), "the default target: no answer");
  EXPECT_EQ(told_of("db", wire::CloseReason::internal), "db: cannot be connected to");
}

TEST(Targets, RefuseNamesThatCannotBeAskedForAndDoubles) {
  EXPECT_EQ(Targets::make({kWeb, kWeb}).error().code, Errc::invalid_argument);
  EXPECT_FALSE(Targets::make({{.name = std::string(300, 'x'), .host = "h", .port = 1}}));
  EXPECT_FALSE(Targets::make({{.name = "\xFF", .host = "h", .port = 1}}));
  EXPECT_FALSE(Targets::make({{.name = "web", .host = "h", .port = 0}}));
}

}  // namespace
}  // namespace sluice::tunnel
