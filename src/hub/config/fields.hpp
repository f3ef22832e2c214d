#pragma once

#include <vector>

#include "hub/config/field.hpp"
#include "hub/config/settings.hpp"

namespace sluice::hub::config {

/// Every key outside of lists, in the order of docs/hub-settings.md: what the file may say, what it defaults
/// to, and whether it applies while the hub runs. The fields point into `settings`.
[[nodiscard]] std::vector<Field> fields_of(Settings& settings);

}  // namespace sluice::hub::config
