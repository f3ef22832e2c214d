#include "cli/app.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "hub/config/problems.hpp"
#include "observe/log.hpp"
#include "observe/printable.hpp"

namespace sluice::cli {
namespace {

constexpr const char* kDescription =
    "Sluice moves bytes between machines, never buffers more than it was allowed to, and loses nothing "
    "silently.";

constexpr const char* kFooter = R"(Examples:
  sluice hub                                       where peers meet; listens on 127.0.0.1:7788
  sluice host 127.0.0.1:22                         exposes a TCP service and prints a code
  sluice forward 7-goldfish-amusement-tiger 2222   reaches it: ssh -p 2222 127.0.0.1
  sluice subscribe --user bob                      prints what comes for bob, from a hub with --open
  sluice publish --user ann --to bob "hello"       sends it
  sluice COMMAND --help                            all options, with examples

Exit status: 0 done, 1 failure, 2 usage, 3 hub unreachable, 4 code unknown or expired, 5 code wrong,
  6 no path between the peers, 7 port in use, 8 peer lost, 130 interrupted without draining.
Environment: SLUICE_HUB (as --hub), SLUICE_CODE (as the code), SLUICE_ADMIN_TOKEN_FILE (as
  --admin-token-file), NO_COLOR (no colours).)";

/// The word that was meant for a command, when there is none of that name; else empty.
std::string unknown_command(const CLI::App& app) {
  const std::vector<std::string> rest =
      app.get_subcommands().empty() ? app.remaining() : std::vector<std::string>{};
  const auto word =
      std::ranges::find_if(rest, [](const std::string& text) { return !text.starts_with('-'); });
  return word == rest.end() ? std::string{} : *word;
}

void tell_of_unknown_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  const std::vector<std::string_view> known{names.begin(), names.end()};
  const std::string_view meant = hub::config::nearest(word, known);
  fmt::print(stderr, "sluice: There is no command '{}'{}\n        `sluice --help` lists them.\n",
             observe::printable(word), meant.empty() ? "." : fmt::format("; did you mean `{}`?", meant));
}

}  // namespace

ExitCode run(std::span<const std::string> arguments) {
  CLI::App app{kDescription, "sluice"};
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();

  bool json = false;
  std::string level_name;
  app.add_flag("--json", json, "Print events as JSON, one object a line");
  app.add_option("--log-level", level_name,
                 "What to log to stderr: trace, debug, info, warn, error or off [warn; a hub with --config: "
                 "as its settings say]")
      ->check([](const std::string& name) {
        return observe::parse_log_level(name).known ? std::string{} : "'" + name + "' is not a log level";
      });

  Action chosen;
  add_hub_command(app, chosen);
  add_host_command(app, chosen);
  add_forward_command(app, chosen);
  add_publish_command(app, chosen);
  add_subscribe_command(app, chosen);
  add_load_command(app, chosen);
  add_clients_command(app, chosen);
  add_kick_command(app, chosen);
  add_keygen_command(app, chosen);
  add_demo_command(app, chosen);
  add_version_command(app, chosen);

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // the order CLI11 wants
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    if (const std::string word = unknown_command(app); !asked_for_help && !word.empty()) {
      tell_of_unknown_command(app, word);
      return ExitCode::usage;
    }
    app.exit(error);
    return asked_for_help ? ExitCode::ok : ExitCode::usage;
  }

  observe::configure_log(
      {.level = level_name.empty() ? kLogLevel : observe::parse_log_level(level_name).level,
       .format = json ? observe::LogConfig::Format::json : observe::LogConfig::Format::text});
  Reporter reporter{{.format = json ? Reporter::Format::json : Reporter::Format::text,
                     .out = chosen.stdout_is_data ? STDERR_FILENO : STDOUT_FILENO}};
  return chosen.run(reporter);
}

}  // namespace sluice::cli
