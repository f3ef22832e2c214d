#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "api/percent_text.hpp"
#include "cli/admin_arguments.hpp"
#include "cli/command.hpp"
#include "core/hub_limits.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;

struct ClientsArguments {
  AdminArguments admin;
  std::string user;
  std::size_t limit = limits::kClientsListed;
};

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;
constexpr std::array<std::string_view, kColumns> kHeads = {
    "ID", "USER", "REMOTE", "AGENT", "AGE", "GROUPS", "WAITING", "UNACKNOWLEDGED", "OLDEST"};

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string{value->as_string()} : std::string{};
}

/// What is no number counts as 0: the hub may be a later one.
double number_at(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  return value->to_number<double>();
}

std::string bytes_at(const json::object& object, std::string_view key) {
  return human_bytes(static_cast<std::uint64_t>(number_at(object, key)));
}

Row row_of(const json::object& client) {
  const json::value* const found = client.if_contains("pressure");
  const json::object pressure = found != nullptr && found->is_object() ? found->as_object() : json::object{};
  const auto age = std::chrono::duration<double>{number_at(client, "ageSeconds")};
  const auto oldest = std::chrono::duration<double, std::milli>{number_at(pressure, "oldestMs")};
  return {text_at(client, "id"),
          text_at(client, "user"),
          text_at(client, "remote"),
          text_at(client, "agent"),
          human_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(age)),
          fmt::format("{:.0f}", number_at(client, "groups")),
          bytes_at(pressure, "bytesWaiting"),
          bytes_at(pressure, "bytesUnacknowledged"),
          human_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(oldest))};
}

/// Names to the left, figures to the right.
std::vector<std::string> table(const std::vector<Row>& rows) {
  constexpr std::size_t kNames = 4;
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < kColumns; ++i) {
      std::size_t width = 0;
      for (const Row& other : rows) width = std::max(width, other[i].size());
      line += i < kNames ? fmt::format("{:<{}}", row[i], width) : fmt::format("{:>{}}", row[i], width);
      line += i + 1 < kColumns ? "  " : "";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

ExitCode run_clients(const ClientsArguments& arguments, Reporter& reporter) {
  std::string path = fmt::format("clients?limit={}", arguments.limit);
  if (!arguments.user.empty()) path += "&user=" + api::percent_encode(arguments.user);
  const auto answer = ask_hub(arguments.admin, {.path = std::move(path)});
  if (!answer) return reporter.error(answer.error().stage, answer.error().error);
  const json::value* const listed = answer->if_contains("clients");
  std::vector<const json::object*> clients;
  std::vector<Row> rows(1);
  std::ranges::copy(kHeads, rows[0].begin());
  const json::array none;
  for (const json::value& client : listed != nullptr && listed->is_array() ? listed->as_array() : none) {
    if (!client.is_object()) continue;
    clients.push_back(&client.as_object());
    rows.push_back(row_of(client.as_object()));
  }
  const std::vector<std::string> lines = table(rows);
  if (!reporter.is_json() && !clients.empty()) reporter.event("clients", {}, lines[0]);
  for (std::size_t i = 0; i < clients.size(); ++i) reporter.event("client", *clients[i], lines[i + 1]);
  const json::value* const more = answer->if_contains("more");
  const bool is_more = more != nullptr && more->is_bool() && more->as_bool();
  reporter.event("done", {{"clients", clients.size()}, {"more", is_more}},
                 fmt::format("{} client{}{}", clients.size(), clients.size() == 1 ? "" : "s",
                             is_more ? ", and there are more: see --limit" : ""));
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
