#include "api/hub_health.hpp"

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

TEST(HubHealth, IsGoodAsLongAsEveryLoopTurns) {
  HubHealth health{.version = "1.2.3", .connections = 4, .mailboxes = {.mailboxes = 3, .introductions = 57}};
  health.mailboxes.denied[static_cast<std::size_t>(hub::Denial::unknown_mailbox)] = 2;
  const std::string fine =
      "{\"status\":\"ok\",\"version\":\"1.2.3\",\"mailboxes\":3,\"connections\":4,\"introductions\":57,"
      "\"denied\":{\"unknown_mailbox\":2}}\n";
  EXPECT_EQ(healthz(health).status, 200U);
  EXPECT_EQ(healthz(health).body, fine);
  health.is_draining = health.store_fails = health.is_full = true;
  EXPECT_EQ(healthz(health).status, 200U) << "a restart would mend none of it";
  health.stuck_loops = {1, 3};
  const auto stuck = healthz(health);
  EXPECT_EQ(stuck.status, 503U);
  EXPECT_NE(stuck.body.find("\"status\":\"stuck\""), std::string::npos) << stuck.body;
  EXPECT_NE(stuck.body.find("\"stuck_loops\":[1,3]"), std::string::npos) << stuck.body;
}

TEST(HubHealth, SaysWhyItIsNotReady) {
  const auto reason = [](const HubHealth& health) {
    const auto page = readyz(health);
    if (page.status == 200) return page.body;
    EXPECT_EQ(page.status, 503U);
    const auto begin = page.body.find("\"reason\":\"") + 10;
    return page.body.substr(begin, page.body.find('"', begin) - begin);
  };
  EXPECT_EQ(reason({}), "{\"status\":\"ready\"}\n");
  EXPECT_EQ(reason({.store_fails = true}), "store");
  EXPECT_EQ(reason({.is_full = true}), "full");
  EXPECT_EQ(reason({.stuck_loops = {0}}), "stuck");
  EXPECT_EQ(reason({.is_draining = true, .store_fails = true}), "draining");
}

}  // namespace
}  // namespace sluice::api
