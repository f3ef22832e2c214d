#include "cli/admin_arguments.hpp"

#include <exception>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "api/admin_token.hpp"
#include "api/hub_connector.hpp"

namespace sluice::cli {

void add_admin_options(CLI::App& command, AdminArguments& arguments) {
  command.add_option("--hub", arguments.hub, "The hub")->envname("SLUICE_HUB")->capture_default_str();
  command.add_option("--hub-pin", arguments.hub_pin, "Accept only the hub with this certificate, sha256:...");
  command
      .add_option("--admin-token-file", arguments.token_file,
                  "A file whose first line is the hub's admin token")
      ->envname("SLUICE_ADMIN_TOKEN_FILE")
      ->option_text("FILE (Env:SLUICE_ADMIN_TOKEN_FILE)");
}

std::expected<std::string, api::Failure> ask_hub(const AdminArguments& arguments, api::AdminCall call) {
  using api::Stage;
  const auto failed = [](Stage stage, Error error) {
    return std::unexpected(api::Failure{.stage = stage, .error = std::move(error)});
  };
  if (arguments.token_file.empty()) {
    return failed(
        Stage::start,
        {.code = Errc::invalid_argument,
         .message = "show the hub's admin token: --admin-token-file FILE, or SLUICE_ADMIN_TOKEN_FILE"});
  }
  auto hub = api::parse_hub(arguments.hub, arguments.hub_pin);
  if (!hub) return failed(Stage::start, std::move(hub.error()));
  auto token = api::read_admin_token(arguments.token_file);
  if (!token) return failed(Stage::start, std::move(token.error()));
  boost::asio::io_context shard{1};
  Result<std::string> answer;
  boost::asio::co_spawn(shard, api::ask_admin(std::move(*hub), std::move(*token), std::move(call)),
                        [&answer](const std::exception_ptr& broken, Result<std::string> got) {
                          if (broken) std::rethrow_exception(broken);
                          answer = std::move(got);
                        });
  shard.run();
  if (answer) return std::move(*answer);
  const bool heard = answer.error().code == Errc::refused || answer.error().code == Errc::limit_exceeded;
  return failed(heard ? Stage::running : Stage::hub, std::move(answer.error()));
}

}  // namespace sluice::cli
