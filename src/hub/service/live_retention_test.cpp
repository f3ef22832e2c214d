#include "hub/service/live_retention.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::service {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using wire::hub::Conversation;

config::Settings settings_of(std::string_view text) {
  auto settings = config::parse_settings(text, "hub.toml");
  EXPECT_TRUE(settings) << describe(settings.error());
  return std::move(*settings);
}

TEST(LiveRetention, SaysWhatTheSettingsOfNowSay) {
  const Conversation ops{.kind = Conversation::Kind::group, .name = "ops"};
  const Conversation ann{.kind = Conversation::Kind::user, .name = "ann"};
  LiveRetention retention{settings_of("[store]\nmax_messages = 7")};
  EXPECT_EQ(retention.of(ops).count, 7U);
  EXPECT_EQ(retention.of(ops).age, limits::kKeptFor);
  retention.set(
      settings_of("[store]\nmax_messages = 5\n[[route]]\nmatch = \"group:o*\"\nmax_age = \"1500ms\""
                  "\nmax_bytes = \"2KiB\"\n"));
  EXPECT_EQ(retention.of(ops).age, 1500ms);
  EXPECT_EQ(retention.of(ops).count, 5U);
  EXPECT_EQ(retention.of(ops).bytes, 2_KiB);
  EXPECT_EQ(retention.of(ann).bytes, limits::kKeptBytes);
}

}  // namespace
}  // namespace sluice::hub::service
