#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "crypto/key_file.hpp"

namespace sluice::cli {
namespace {

struct KeygenArguments {
  std::string file;
  bool force = false;
};

ExitCode run_keygen(const KeygenArguments& arguments, Reporter& reporter) {
  const auto if_exists = arguments.force ? crypto::IfKeyExists::replace : crypto::IfKeyExists::refuse;
  if (auto written = crypto::write_key_file(arguments.file, crypto::SharedKey::random(), if_exists);
      !written) {
    return reporter.error(Stage::start, written.error());
  }
  reporter.event("key_written", {{"file", arguments.file}},
                 {"wrote " + arguments.file, "Copy it to the other side over a channel that you trust, then:",
                  fmt::format("  sluice host --key {} HOST:PORT", arguments.file),
                  fmt::format("  sluice forward --key {} PORT", arguments.file)});
  return ExitCode::ok;
}

}  // namespace

void add_keygen_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("keygen", "Make a key file for hosts that stay up");
  command->footer(
      "Whoever has the file may connect: it is readable by its owner only, and both sides refuse one that is "
      "not.\n\n"
      "Example:\n  sluice keygen tunnel.key");
  auto arguments = std::make_shared<KeygenArguments>();
  command->add_option("FILE", arguments->file, "Where to write the key")->required();
  command->add_flag("--force", arguments->force, "Replace the file when it exists");
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_keygen(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
