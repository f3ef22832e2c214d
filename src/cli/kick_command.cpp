#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "api/percent_text.hpp"
#include "cli/admin_arguments.hpp"
#include "cli/command.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::cli {
namespace {

struct KickArguments {
  AdminArguments admin;
  std::string whom;
  std::string message;
  bool user = false;
};

/// `SHARD-NUMBER`
bool is_connection_id(std::string_view text) {
  const auto is_number = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  const std::size_t dash = text.find('-');
  return dash != std::string_view::npos && is_number(text.substr(0, dash)) &&
         is_number(text.substr(dash + 1));
}

ExitCode run_kick(const KickArguments& arguments, Reporter& reporter) {
  const bool one = !arguments.user && is_connection_id(arguments.whom);
  std::string path = (one ? "clients/" : "users/") + api::percent_encode(arguments.whom);
  if (!arguments.message.empty()) path += "?message=" + api::percent_encode(arguments.message);
  const auto answer =
      ask_hub(arguments.admin, {.method = transport::HttpMethod::del, .path = std::move(path)});
  if (!answer) return reporter.error(answer.error().stage, answer.error().error);
  const auto parsed = wire::json::parse(*answer, api::kAdminItem);
  const auto* const told = parsed ? parsed->if_object() : nullptr;
  const boost::json::value* const kicked = told == nullptr ? nullptr : told->if_contains("kicked");
  const auto count = kicked != nullptr && kicked->is_int64() ? kicked->as_int64() : 1;
  reporter.event("kicked", {{one ? "client" : "user", arguments.whom}, {"connections", count}},
                 fmt::format("{}: {} connection{} told to go", arguments.whom, count, count == 1 ? "" : "s"));
  return ExitCode::ok;
}

}  // namespace

void add_kick_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("kick", "End the connections of a hub's user, or one of them");
  command->footer(
      "They are told so, with the text, and may come back: who is to stay away must not get a token any "
      "more.\n"
      "Exit status: 0 done, 1 refused or nobody there, 2 usage, 3 hub unreachable.\n\n"
      "Examples:\n"
      "  sluice kick ann --admin-token-file admin.token\n"
      "  sluice kick 0-12 --admin-token-file admin.token --message \"your client sends nonsense\"");
  auto arguments = std::make_shared<KickArguments>();
  add_admin_options(*command, arguments->admin);
  command->add_option("USER|ID", arguments->whom, "A user, or a connection as `sluice clients` lists it")
      ->required();
  command->add_option("--message", arguments->message, "What they are told");
  command->add_flag("--user", arguments->user, "It is a user's name, also if it looks like an id");
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_kick(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
