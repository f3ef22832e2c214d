#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "api/percent_text.hpp"
#include "cli/admin_arguments.hpp"
#include "cli/client_list.hpp"
#include "cli/command.hpp"
#include "core/hub_limits.hpp"

namespace sluice::cli {
namespace {

struct ClientsArguments {
  AdminArguments admin;
  std::string user;
  std::size_t limit = limits::kClientsListed;
};

ExitCode run_clients(const ClientsArguments& arguments, Reporter& reporter) {
  std::string path = fmt::format("clients?limit={}", arguments.limit);
  if (!arguments.user.empty()) path += "&user=" + api::percent_encode(arguments.user);
  const auto answer = ask_hub(arguments.admin, {.path = std::move(path)});
  if (!answer) return reporter.error(answer.error().stage, answer.error().error);
  const auto list = ClientList::read(*answer, arguments.limit);
  if (!list) return reporter.error(Stage::running, list.error());
  if (!reporter.is_json() && list->size() > 0) reporter.event("clients", {}, list->heads());
  list->for_each([&reporter](boost::json::object client, std::string_view line) {
    reporter.event("client", std::move(client), line);
  });
  reporter.event("done", {{"clients", list->size()}, {"more", list->more()}},
                 fmt::format("{} client{}{}", list->size(), list->size() == 1 ? "" : "s",
                             list->more() ? ", and there are more: see --limit" : ""));
  return ExitCode::ok;
}

}  // namespace

void add_clients_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("clients", "List a hub's clients and what waits for them");
  command->footer(
      "Those come first for whom most waits. The hub needs a token for it: `sluice hub --admin-token-file "
      "FILE`.\n"
      "Exit status: 0 listed, 1 refused, 2 usage, 3 hub unreachable.\n\n"
      "Examples:\n"
      "  sluice clients --admin-token-file admin.token\n"
      "  sluice clients --admin-token-file admin.token --user ann\n"
      "  sluice clients --admin-token-file admin.token --limit 10 --json");
  auto arguments = std::make_shared<ClientsArguments>();
  add_admin_options(*command, arguments->admin);
  command->add_option("--user", arguments->user, "Those of one user");
  command->add_option("--limit", arguments->limit, "As many at the most")
      ->check(CLI::Range(std::size_t{1}, limits::kMaxClientsListed))
      ->capture_default_str();
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_clients(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
