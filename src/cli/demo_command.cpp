#include <memory>

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/demo.hpp"

namespace sluice::cli {

void add_demo_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand(
      "demo", "Show the tunnel at work: hub, host and forward on this machine, a file fetched with curl");
  command->footer(
      "Needs curl, python3 and sha256sum. Leaves nothing behind.\n\nExample:\n  sluice demo --size-mib 1024");
  auto size_mib = std::make_shared<std::uint64_t>(256);
  command->add_option("--size-mib", *size_mib, "Size of the random file, in MiB")
      ->check(CLI::Range(1, 16 * 1024))
      ->capture_default_str();
  command->callback([&chosen, size_mib] {
    chosen.run = [size_mib](Reporter& reporter) {
      return run_demo({.size = Bytes{*size_mib} * 1024 * 1024}, reporter);
    };
  });
}

}  // namespace sluice::cli
