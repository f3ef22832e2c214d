#pragma once

#include <functional>

#include "cli/exit_code.hpp"
#include "cli/reporter.hpp"
#include "observe/log.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

/// What is logged where neither the command line nor a file of settings says it.
inline constexpr observe::LogLevel kLogLevel = observe::LogLevel::warn;

/// What a command does once its arguments are parsed.
struct Action {
  std::function<ExitCode(Reporter&)> run;
  /// Whether stdout carries the command's data, so that events and sentences go to stderr.
  bool stdout_is_data = false;
};

/// Each adds its subcommand, with help and examples; when the user names that command, `chosen` is what to
/// do.
void add_hub_command(CLI::App& app, Action& chosen);
void add_host_command(CLI::App& app, Action& chosen);
void add_forward_command(CLI::App& app, Action& chosen);
void add_publish_command(CLI::App& app, Action& chosen);
void add_subscribe_command(CLI::App& app, Action& chosen);
void add_load_command(CLI::App& app, Action& chosen);
void add_clients_command(CLI::App& app, Action& chosen);
void add_kick_command(CLI::App& app, Action& chosen);
void add_keygen_command(CLI::App& app, Action& chosen);
void add_version_command(CLI::App& app, Action& chosen);
void add_demo_command(CLI::App& app, Action& chosen);

}  // namespace sluice::cli
