#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/config/testing.hpp"

namespace sluice::hub::config {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::parsed;
using testing::written;

Settings changed(const Settings& present, std::string_view text) {
  auto settings = changed_settings(present, text, "change");
  EXPECT_TRUE(settings) << describe(settings.error());
  return settings ? std::move(*settings) : Settings{};
}

std::string refusal(const Settings& present, std::string_view text) {
  const auto settings = changed_settings(present, text, "change");
  return settings ? "taken" : settings.error().message;
}

TEST(ChangedSettings, LeaveEverythingElseAsItIs) {
  const Settings present = parsed("[rates.connection]\nmessages_per_second = 7\n[memory]\nlimit = \"64MiB\"");
  Settings expected = present;
  expected.gateway.receiver.dry_run = true;
  expected.gateway.per_connection.messages.burst = 9;
  const Settings now =
      changed(present, "[backpressure]\ndry_run = true\n[rates.connection]\nmessage_burst = 9");
  EXPECT_EQ(written(now), written(expected));
  EXPECT_THAT(changed_keys(present, now),
              ElementsAre("backpressure.dry_run", "rates.connection.message_burst"));
  EXPECT_EQ(written(changed(present, "")), written(present));
}

TEST(ChangedSettings, AreCheckedTogetherWithThePresentOnes) {
  const Settings present = parsed("[memory]\nlimit = \"8MiB\"");
  EXPECT_EQ(refusal(present, "[memory]\nuser_limit = \"9MiB\""),
            "change:2:1: `memory.user_limit` is no more than `memory.limit`");
  EXPECT_EQ(refusal(present, "[memory]\nlimits = 1"),
            "change:2:1: there is no `memory.limits`; did you mean `limit`?");
  EXPECT_THAT(refusal(present, "[memory"), HasSubstr("change:1:"));
}

TEST(ChangedSettings, ApplyAtOnceButForAFew) {
  const Settings present = parsed("");
  const Settings now = changed(present,
                               "[heartbeat]\ninterval = \"5s\"\nmisses = 2\n[admission]\nper_address = 9\n"
                               "[store]\nbound = \"32MiB\"\nfolder = \"x\"\n[listen]\nmax_connections = 3");
  EXPECT_THAT(needs_restart(present, now), ElementsAre("listen.max_connections", "store.folder"));
  EXPECT_THAT(changed_keys(present, reloaded(present, now)),
              ElementsAre("admission.per_address", "heartbeat.interval", "heartbeat.misses", "store.bound"));
  EXPECT_THAT(refusal(present, "[store]\nbound = \"2MiB\""), HasSubstr("store.max_bytes"))
      << "a conversation may keep no more than all";
}

TEST(ChangedSettings, HaveOtherRoutesOrTheSame) {
  const Settings present = parsed("[[route]]\nmatch = \"group:a\"\nmax_messages = 3");
  const Settings same = changed(present, "[store]\nmax_messages = 5\nmax_age = \"1h\"");
  ASSERT_EQ(same.gateway.routes.size(), 1U);
  EXPECT_EQ(same.route_retention.at(0).max_messages, 3U);
  EXPECT_EQ(same.route_retention.at(0).max_age, 1h);
  const Settings other = changed(present, "[[route]]\nmatch = \"group:b\"\n[[route]]\nmatch = \"all\"");
  ASSERT_EQ(other.gateway.routes.size(), 2U);
  EXPECT_EQ(other.gateway.routes[0].match, "group:b");
  EXPECT_THAT(changed_keys(present, other), ElementsAre("route"));
  EXPECT_TRUE(changed(present, "route = []").gateway.routes.empty());
}

TEST(ChangedSettings, SwitchClassesAndTheStoreOffAndOnAgain) {
  const Settings present = parsed("[[route]]\nmatch = \"group:a\"\nclass = \"critical\"");
  const Settings off = changed(present, "classes.enabled = false\nstore.enabled = false");
  ASSERT_EQ(off.gateway.routes.size(), 4U);
  EXPECT_EQ(off.gateway.routes[0].urgency, flow::Urgency::normal);
  EXPECT_FALSE(off.gateway.routes[0].stored);
  const Settings on = changed(off, "classes.enabled = true\nstore.enabled = true");
  EXPECT_EQ(on.gateway.routes, present.gateway.routes);
  EXPECT_EQ(on.route_retention, present.route_retention);
}

TEST(ChangedSettings, AreToldWithWhatTheySaidAndSay) {
  const Settings before = parsed("[memory]\nlimit = \"64MiB\"\n[listen]\nhosts = [\"a\"]");
  const Settings after =
      parsed("[memory]\nlimit = \"32MiB\"\n[listen]\nhosts = [\"a\", \"b\"]\n[[route]]\nmatch = \"all\"");
  EXPECT_THAT(changes(before, after), ElementsAre(SettingChange{"listen.hosts", "[\"a\"]", "[\"a\", \"b\"]"},
                                                  SettingChange{"memory.limit", "\"64MiB\"", "\"32MiB\""},
                                                  SettingChange{"route", "0 routes", "1 routes"}));
  EXPECT_THAT(changes(before, before), ElementsAre());
}

TEST(ChangedSettings, HaveNoKeysOfTokens) {
  EXPECT_EQ(refusal(Settings{}, "[[auth.key]]\nfile = \"k\"\nalgorithm = \"HS256\""),
            "change:1:1: keys are changed in the file alone; it is read again on SIGHUP");
}

}  // namespace
}  // namespace sluice::hub::config
