#pragma once

#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "api/peer_options.hpp"
#include "api/stage.hpp"
#include "cli/reporter.hpp"
#include "client/messaging/hub_client.hpp"
#include "client/messaging/session.hpp"
#include "core/error.hpp"
#include "wire/hub/encoding.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

/// The options that `publish` and `subscribe` share: the hub, and who one is there.
struct MessagingArguments {
  std::string hub = "ws://127.0.0.1:7788";
  std::optional<std::string> hub_pin;
  std::string token_file;
  std::string user;
  std::string device;
  std::string encoding = "proto";
};

void add_messaging_options(CLI::App& command, MessagingArguments& arguments);

struct MessagingOptions {
  api::HubAddress hub;
  wire::hub::Encoding encoding;
  messaging::SessionOptions session;
  std::string token_file{};
};

/// Errors: `invalid_argument`, `not_found` and `io` (the token's file).
[[nodiscard]] Result<MessagingOptions> messaging_options(const MessagingArguments& arguments);

/// A conversation as events have it, `{"group": "ops"}`, and as a person reads it, `group/ops`.
[[nodiscard]] boost::json::object conversation_fields(const wire::hub::Conversation& conversation);
[[nodiscard]] std::string conversation_text(const wire::hub::Conversation& conversation);

/// Why a client's session is over, of one that was `connected` once or never.
[[nodiscard]] api::Failure why_over(const messaging::Over& over, bool connected);

/// The connection is lost and another will be tried: says so, and gives it the token that the file holds by
/// then, as the one before may have expired.
void prepare_retry(const MessagingOptions& options, messaging::HubClient& client, const messaging::Lost& lost,
                   Reporter& reporter);

}  // namespace sluice::cli
