#pragma once

#include <expected>
#include <optional>
#include <string>

#include "api/admin_client.hpp"
#include "api/stage.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

/// The options of commands that administrate a hub: which one, and the right to.
struct AdminArguments {
  std::string hub = "ws://127.0.0.1:7788";
  std::optional<std::string> hub_pin{};
  std::string token_file{};
};

void add_admin_options(CLI::App& command, AdminArguments& arguments);

/// Asks the hub, waits for its answer on this thread, and returns it (see `api::ask_admin`), or why there is
/// none.
[[nodiscard]] std::expected<std::string, api::Failure> ask_hub(const AdminArguments& arguments,
                                                               api::AdminCall call);

}  // namespace sluice::cli
