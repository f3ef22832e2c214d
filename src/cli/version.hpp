#pragma once

#include <string_view>

namespace sluice::cli {

/// The project's version, as CMakeLists.txt has it.
inline constexpr std::string_view kVersion = SLUICE_VERSION;

}  // namespace sluice::cli
