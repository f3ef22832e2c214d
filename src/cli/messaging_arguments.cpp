#include "cli/messaging_arguments.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "core/hub_limits.hpp"
#include "core/secret_file.hpp"

namespace sluice::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// The file's first line.
Result<std::string> read_token(const std::string& name) {
  if (auto secret = check_secret_file(name, "The token"); !secret) return fail(std::move(secret.error()));
  const std::unique_ptr<std::FILE, CloseFile> file{std::fopen(name.c_str(), "re")};
  if (!file) {
    return fail(errno == ENOENT ? Errc::not_found : Errc::io,
                fmt::format("cannot open {}: {}", name, std::generic_category().message(errno)));
  }
  std::string token;
  for (int c = std::fgetc(file.get()); c != EOF && c != '\n' && c != '\r'; c = std::fgetc(file.get())) {
    if (token.size() == limits::kMaxToken.count())
      return fail(Errc::invalid_argument, fmt::format("{} does not hold a token", name));
    token += static_cast<char>(c);
  }
  if (token.empty()) return fail(Errc::invalid_argument, fmt::format("{} holds no token", name));
  return token;
}

}  // namespace

void add_messaging_options(CLI::App& command, MessagingArguments& arguments) {
  command.add_option("--hub", arguments.hub, "The hub")->envname("SLUICE_HUB")->capture_default_str();
  command.add_option("--hub-pin", arguments.hub_pin, "Accept only the hub with this certificate, sha256:...");
  auto* token =
      command
          .add_option("--token-file", arguments.token_file, "A file whose first line is a JWT: who one is")
          ->option_text("FILE");
  command.add_option("--user", arguments.user, "Who one is, at an open hub")->excludes(token);
  command
      .add_option("--device", arguments.device,
                  "A name for this device: what your other devices acknowledge still comes here")
      ->option_text("NAME");
  command.add_option("--encoding", arguments.encoding, "What is spoken: proto or json")
      ->check(CLI::IsMember({"proto", "json"}))
      ->capture_default_str();
}

Result<MessagingOptions> messaging_options(const MessagingArguments& arguments) {
  auto hub = api::parse_hub(arguments.hub, arguments.hub_pin);
  if (!hub) return fail(std::move(hub.error()));
  MessagingOptions options{
      .hub = std::move(*hub),
      .encoding = arguments.encoding == "json" ? wire::hub::Encoding::json : wire::hub::Encoding::proto,
      .session = {}};
  if (arguments.token_file.empty() && arguments.user.empty())
    return fail(Errc::invalid_argument, "say who you are: --token-file FILE, or --user NAME at an open hub");
  if (!arguments.token_file.empty()) {
    auto token = read_token(arguments.token_file);
    if (!token) return fail(std::move(token.error()));
    options.session.token = std::move(*token);
    options.token_file = arguments.token_file;
  } else if (!wire::hub::is_name(arguments.user)) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no name of a user", arguments.user));
  }
  options.session.user = arguments.user;
  if (!wire::hub::is_label(arguments.device, limits::kMaxId)) {
    return fail(
        Errc::invalid_argument,
        fmt::format("'{}' is no name of a device: it takes at most {} bytes without control characters",
                    arguments.device, limits::kMaxId.count()));
  }
  options.session.device = arguments.device;
  return options;
}

boost::json::object conversation_fields(const wire::hub::Conversation& conversation) {
  using Kind = wire::hub::Conversation::Kind;
  switch (conversation.kind) {
    case Kind::user:
      return {{"user", conversation.name}};
    case Kind::group:
      return {{"group", conversation.name}};
    case Kind::all:
      return {{"all", true}};
  }
  return {};
}

std::string conversation_text(const wire::hub::Conversation& conversation) {
  using Kind = wire::hub::Conversation::Kind;
  if (conversation.kind == Kind::all) return "all";
  return fmt::format("{}/{}", conversation.kind == Kind::user ? "user" : "group", conversation.name);
}

api::Failure why_over(const messaging::Over& over, bool connected) {
  using wire::hub::Reason;
  switch (over.reason) {
    case Reason::none:
      return {.stage = connected ? api::Stage::running : api::Stage::hub, .error = over.why};
    case Reason::unauthenticated:
    case Reason::token_invalid:
    case Reason::token_expired:
      return {.stage = api::Stage::entry, .error = over.why};
    default:
      return {.stage = api::Stage::running, .error = over.why};  // it was reached, and said why
  }
}

void prepare_retry(const MessagingOptions& options, messaging::HubClient& client, const messaging::Lost& lost,
                   Reporter& reporter) {
  std::error_code error;
  if (std::filesystem::is_regular_file(options.token_file, error)) {  // a pipe gave it once
    if (auto token = read_token(options.token_file)) client.refresh(std::move(*token));
  }
  const auto in_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lost.retry_in).count();
  reporter.event("retry",
                 {{"code", name_of(lost.why.code)}, {"message", describe(lost.why)}, {"in_ms", in_ms}},
                 fmt::format("{}; trying again in {}", describe(lost.why), human_duration(lost.retry_in)));
}

}  // namespace sluice::cli
