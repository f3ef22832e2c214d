#pragma once

#include "hub/config/problems.hpp"
#include "hub/config/settings.hpp"
#include "hub/config/toml_file.hpp"

namespace sluice::hub::config {

/// Whether settings that are each good make sense together. `reader` tells where they were given.
void check(const Settings& settings, const TomlReader& reader, Problems& problems);

}  // namespace sluice::hub::config
