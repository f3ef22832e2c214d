#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/stage.hpp"
#include "core/error.hpp"

namespace sluice::cli {

using api::Stage;

/// What `sluice` says to the shell; stable, listed in `sluice --help` and docs/cli.md.
enum class ExitCode : std::uint8_t {
  ok = 0,
  failure = 1,
  usage = 2,
  hub_unreachable = 3,
  code_unknown = 4,  ///< Unknown, expired or burnt.
  code_wrong = 5,
  no_path = 6,  ///< Both peers are there, but no packet gets from one to the other.
  port_in_use = 7,
  peer_lost = 8,      ///< The other side ended the tunnel, or is gone without a word.
  interrupted = 130,  ///< A second Ctrl-C ended it without draining, or the first one the demo.
};

[[nodiscard]] ExitCode exit_code(Stage stage, Errc code);

/// What happened, in words for a user.
[[nodiscard]] std::string explain(Stage stage, const Error& error);

/// What a user can do about it: one sentence, or empty.
[[nodiscard]] std::string_view hint(Stage stage, Errc code);

}  // namespace sluice::cli
