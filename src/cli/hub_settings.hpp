#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/hub_server.hpp"
#include "core/error.hpp"
#include "hub/config/settings.hpp"

namespace sluice::cli {

/// What was said on the command line of `sluice hub`. What is said there goes before what the file says.
struct HubArguments {
  std::string config{};  ///< The file of settings; empty: none.
  std::vector<std::string> listen{};
  std::string tls_cert{};
  std::string tls_key{};
  std::string dev_cert{};
  bool open = false;
  std::vector<std::string> hosts{};  ///< Beside those of the file, as are the origins.
  std::vector<std::string> origins{};
  std::optional<std::string> data{};
  std::optional<std::string> admin_token_file{};
  std::size_t shards = 0;                        ///< 0: one for each core.
  std::optional<observe::LogLevel> log_level{};  ///< As it was said there.
  bool json_log = false;
};

/// The file's settings with the arguments in place of what they name. Errors: those of the file, and
/// `invalid_argument` for what makes no sense together.
[[nodiscard]] Result<hub::config::Settings> hub_settings(const HubArguments& arguments);

/// Whether somebody may come in to exchange messages: to an open hub, or one with keys.
[[nodiscard]] bool carries_messages(const hub::config::Settings& settings);

/// What a hub is to be. Messaging is there when it carries messages.
[[nodiscard]] api::HubOptions hub_options(const HubArguments& arguments, hub::config::Settings settings);

}  // namespace sluice::cli
