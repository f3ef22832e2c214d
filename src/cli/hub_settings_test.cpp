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

}  // namespace
}  // namespace sluice::cli
