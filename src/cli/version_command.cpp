#include <memory>

#include <CLI/CLI.hpp>
#include <boost/version.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/version.hpp"

namespace sluice::cli {

void add_version_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("version", "Print the version");
  command->footer("Example:\n  sluice version --json");
  command->callback([&chosen] {
    chosen.run = [](Reporter& reporter) {
      reporter.event("version", {{"version", kVersion}, {"compiler", __VERSION__}},
                     fmt::format("sluice {} ({})", kVersion, __VERSION__));
      return ExitCode::ok;
    };
  });
}

}  // namespace sluice::cli
