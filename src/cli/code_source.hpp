#pragma once

#include <optional>
#include <string>

#include "core/error.hpp"

namespace sluice::cli {

/// Where a code may come from, first named first used: the command line, a file, the environment, a prompt.
/// All but the first keep it out of the process list.
struct CodeSources {
  std::optional<std::string> argument;
  std::optional<std::string> file;  ///< `-` is standard input; the first line counts.
};

/// The code as text, not yet parsed. The environment variable is SLUICE_CODE; the prompt is shown on the
/// controlling terminal. Errors: `not_found` (no such file), `io`, `limit_exceeded`, `invalid_argument` when
/// there is no source at all.
[[nodiscard]] Result<std::string> find_code(const CodeSources& sources);

}  // namespace sluice::cli
