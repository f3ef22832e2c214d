#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hub/config/fields.hpp"
#include "hub/config/settings.hpp"

namespace sluice::hub::config::testing {

/// The settings of a text that is good.
inline Settings parsed(std::string_view text, std::string_view file = "hub.toml") {
  auto settings = parse_settings(text, file);
  EXPECT_TRUE(settings) << describe(settings.error());
  return settings ? std::move(*settings) : Settings{};
}

/// What is said of a text that is not.
inline std::string refusal_of(std::string_view text) {
  const auto settings = parse_settings(text, "hub.toml");
  return settings ? "taken" : settings.error().message;
}

/// Each key as it would be written.
inline std::vector<std::pair<std::string, std::string>> written(Settings settings) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Field& field : fields_of(settings)) all.emplace_back(field.key(), field.written());
  return all;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace sluice::hub::config::testing
