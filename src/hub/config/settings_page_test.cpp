#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hub/config/fields.hpp"
#include "hub/config/testing.hpp"

/// Whether docs/hub-settings.md and docs/hub.toml say what is so.
namespace sluice::hub::config {
namespace {

using testing::parsed;
using testing::refusal_of;
using testing::text_of;
using testing::written;

TEST(SettingsPage, HasEveryKeyWithItsDefaultAndNoOther) {
  std::istringstream page{text_of(SLUICE_DOCS "/hub-settings.md")};
  const std::regex heading{R"(#+ \[([a-z.]+)\])"};
  const std::regex row{R"(\| `([a-z_]+)` \| `(.*?)` \|.*\| (live|restart) \|)"};
  std::vector<std::string> documented;
  std::string section;
  std::smatch found;
  for (std::string line; std::getline(page, line);) {
    if (std::regex_match(line, found, heading)) section = found[1];
    if (std::regex_match(line, found, row)) {
      documented.push_back(section + "." + found[1].str() + " = " + found[2].str() + ", " + found[3].str());
    }
  }
  std::vector<std::string> known;
  Settings defaults;
  for (const Field& field : fields_of(defaults)) {
    known.push_back(field.key() + " = " + field.written() + ", " +
                    (field.applies == Applies::live ? "live" : "restart"));
  }
  EXPECT_EQ(documented, known);
}

TEST(SettingsPage, ShowsProblemsAsTheyAreTold) {
  const std::string told =
      refusal_of(std::string(7, '\n') + "[backpressure]\ndryrun = true\n\n\nclose_unwritable_after = 2");
  const std::string page = text_of(SLUICE_DOCS "/hub-settings.md");
  EXPECT_NE(page.find("  " + std::regex_replace(told, std::regex{"\n"}, "\n  ") + "\n"), std::string::npos)
      << told;
}

TEST(SettingsSample, HasEveryKeyWithItsDefault) {
  const std::string sample = text_of(SLUICE_DOCS "/hub.toml");
  EXPECT_EQ(written(parsed(sample)), written(Settings{}));
  const std::string spelled = std::regex_replace(sample, std::regex{"(^|\n)#([a-z])"}, "$1$2");
  EXPECT_EQ(written(parsed(spelled)), written(Settings{}));
  for (const auto& [key, value] : written(Settings{})) {
    const std::string line = "\n" + key.substr(key.rfind('.') + 1) + " = " + value + "\n";
    EXPECT_NE(spelled.find(line), std::string::npos) << key;
  }
  EXPECT_EQ(parsed(sample).gateway.routes.size(), 3U);
}

TEST(SettingsSample, ShowsKeysThatAreTaken) {
  const std::string spelled =
      std::regex_replace(text_of(SLUICE_DOCS "/hub.toml"), std::regex{R"(\n# (\[\[|[a-z]+ = ))"}, "\n$1");
  EXPECT_EQ(parsed(spelled).auth.verifier.keys.size(), 2U);
}

}  // namespace
}  // namespace sluice::hub::config
