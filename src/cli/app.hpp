#pragma once

#include <span>
#include <string>

#include "cli/exit_code.hpp"

namespace sluice::cli {

/// The whole command line: parses, runs the command that it names and says how it went. `arguments` is
/// main's, without the program's name.
ExitCode run(std::span<const std::string> arguments);

}  // namespace sluice::cli
