#include "cli/hub_settings.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "core/testing.hpp"

namespace sluice::cli {
namespace {

using observe::LogLevel;

LogLevel log_level(const HubArguments& arguments) {
  const auto settings = hub_settings(arguments);
  EXPECT_TRUE(settings) << describe(settings.error());
  return settings ? settings->log.level : LogLevel::off;
}

TEST(HubSettings, SayWhatIsLoggedWithoutAFileToo) {
  EXPECT_EQ(log_level({}), LogLevel::warn) << "as every command does";
  const sluice::testing::TemporaryFolder folder;
  const std::string file = folder.path() / "hub.toml";
  std::ofstream{file} << "[memory]\nlimit = \"8MiB\"\n";
  EXPECT_EQ(log_level({.config = file}), LogLevel::info) << "the default of the file";
  std::ofstream{file} << "[log]\nlevel = \"debug\"\n";
  EXPECT_EQ(log_level({.config = file}), LogLevel::debug);
}

TEST(HubSettings, AddTheNamesAndOriginsOfTheCommandLineToThoseOfTheFile) {
  const sluice::testing::TemporaryFolder folder;
  const std::string file = folder.file(
      "hub.toml", "[listen]\nhosts = [\"a.example\"]\n[auth]\norigins = [\"https://a.example\"]\n");
  const auto settings = hub_settings(
      {.config = file, .open = true, .hosts = {"b.example"}, .origins = {"http://localhost:3000"}});
  ASSERT_TRUE(settings) << describe(settings.error());
  EXPECT_EQ(settings->listen.hosts, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(settings->auth.origins, (std::vector<std::string>{"https://a.example", "http://localhost:3000"}));
}

TEST(HubSettings, DoNotOpenAHubToEveryPage) {
  EXPECT_TRUE(hub_settings({.origins = {"*"}}));
  EXPECT_FALSE(hub_settings({.open = true, .origins = {"*"}}));
  EXPECT_FALSE(hub_settings({.open = true, .hosts = {"*"}}));
  EXPECT_FALSE(hub_settings({.origins = {"app.example"}}));
  const sluice::testing::TemporaryFolder folder;
  EXPECT_FALSE(hub_settings({.config = folder.file("hub.toml", "[auth]\norigins = [\"*\"]\n"), .open = true}))
      << "the file is good without --open";
}

}  // namespace
}  // namespace sluice::cli
