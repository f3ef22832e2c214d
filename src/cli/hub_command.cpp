#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/hub_server.hpp"
#include "cli/command.hpp"
#include "cli/hub_settings.hpp"
#include "cli/run_job.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "observe/log.hpp"
#include "runtime/wake_up.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

/// What was said on the command line holds, whatever the settings say.
observe::LogConfig log_of(const HubArguments& arguments, const hub::config::Settings& settings) {
  observe::LogConfig log = settings.log;
  if (arguments.log_level) log.level = *arguments.log_level;
  if (arguments.json_log) log.format = observe::LogConfig::Format::json;
  return log;
}

/// Who names a folder for messages means to have some.
void warn_of_an_idle_store(const hub::config::Settings& settings) {
  const std::string& folder = settings.store.folder;
  if (folder.empty() || folder == ":memory:" || carries_messages(settings)) return;
  observe::log(
      observe::LogLevel::warn, "hub",
      fmt::format("this hub carries no messages, so nothing is stored in {}: start it with --open, or "
                  "with keys ([[auth.key]]) in its settings",
                  folder));
}

/// A hub server for as long as nobody stops it.
class HubJob final : public api::Job {
 public:
  HubJob(const asio::any_io_executor& executor, const HubArguments& arguments,
         const hub::config::Settings& settings, Reporter& reporter)
      : arguments_(arguments),
        settings_(settings),
        server_(executor, options()),
        stopped_(executor),
        reporter_(reporter) {}

  asio::awaitable<std::optional<api::Failure>> run() override {
    const auto started = server_.start();
    if (started) {
      announce(*started);
      co_await stopped_.wait();
    }
    const Status balanced = co_await server_.stop();
    if (!started) co_return api::Failure{.stage = Stage::start, .error = started.error()};
    if (!balanced) co_return api::Failure{.stage = Stage::running, .error = balanced.error()};
    co_return std::nullopt;
  }
  void stop() override { stopped_.notify(); }
  [[nodiscard]] Ending ending() const override {
    return {.what = "everybody is told to go",
            .limit = std::chrono::duration_cast<std::chrono::seconds>(limits::kHubDrainTimeout +
                                                                      limits::kLinkCloseTimeout)};
  }
  bool reload() override;
  [[nodiscard]] std::optional<api::TunnelStatus> status() const override { return std::nullopt; }

 private:
  api::HubOptions options() {
    api::HubOptions options = hub_options(arguments_, settings_);
    options.on_changed = [this](const hub::config::Settings& settings) { use_log(settings); };
    return options;
  }
  void use_log(const hub::config::Settings& settings) const {
    observe::configure_log(log_of(arguments_, settings));
  }
  static void log_changes(const std::vector<hub::config::SettingChange>& changes,
                          const std::vector<std::string>& waiting);
  void tell_reloaded(std::string_view what, const std::vector<std::string>& waiting,
                     const std::vector<Error>& problems);
  void announce(const api::HubAddresses& addresses) {
    boost::json::object fields{{"service", "hub"}, {"url", addresses.urls.front()}};
    fields["urls"] = boost::json::array(addresses.urls.begin(), addresses.urls.end());
    std::string pin;
    if (addresses.fingerprint) {
      fields["fingerprint"] = *addresses.fingerprint;
      pin = fmt::format("peers pin its certificate with: --hub-pin {}", *addresses.fingerprint);
    }
    reporter_.event("listening", std::move(fields),
                    {fmt::format("hub listens on {}", fmt::join(addresses.urls, ", ")), pin});
  }

  const HubArguments& arguments_;
  hub::config::Settings settings_;
  api::HubServer server_;
  runtime::WakeUp stopped_;
  Reporter& reporter_;
};

bool HubJob::reload() {
  if (arguments_.config.empty()) {
    tell_reloaded("certificates, keys and tokens were read again", {}, server_.reload_files());
    return true;
  }
  const auto refuse = [this](const Error& error) {
    std::vector<std::string_view> lines = lines_of(error.message);
    for (const std::string_view line : lines) {
      observe::log(observe::LogLevel::error, "hub", "the settings stay as they were", {{"why", line}});
    }
    lines.insert(lines.begin(), "the settings stay as they were:");
    reporter_.event("reload_failed", {{"message", error.message}}, lines);
    return true;
  };
  auto fresh = hub_settings(arguments_);
  if (!fresh) return refuse(fresh.error());
  const std::vector<std::string> waiting = hub::config::needs_restart(settings_, *fresh);
  auto applied = hub::config::reloaded(settings_, std::move(*fresh));
  if (auto taken = server_.reload(applied); !taken) return refuse(taken.error());
  log_changes(hub::config::changes(settings_, applied), waiting);
  use_log(applied);
  settings_ = std::move(applied);
  tell_reloaded("the settings were read again", waiting, server_.reload_files());
  return true;
}

void HubJob::log_changes(const std::vector<hub::config::SettingChange>& changes,
                         const std::vector<std::string>& waiting) {
  using observe::LogLevel;
  for (const auto& [key, before, after] : changes)
    observe::log(LogLevel::info, "hub", "a setting has changed",
                 {{"key", key}, {"from", before}, {"to", after}});
  for (const std::string& key : waiting)
    observe::log(LogLevel::warn, "hub", "a setting waits for a restart", {{"key", key}});
  if (changes.empty() && waiting.empty()) observe::log(LogLevel::info, "hub", "no setting has changed");
}

void HubJob::tell_reloaded(std::string_view what, const std::vector<std::string>& waiting,
                           const std::vector<Error>& problems) {
  std::vector<std::string> lines{std::string{what}};
  if (!waiting.empty())
    lines.push_back(fmt::format("these wait for a restart: {}", fmt::join(waiting, ", ")));
  boost::json::array kept;
  for (const Error& problem : problems) {
    lines.push_back(fmt::format("one stays as it was: {}", problem.message));
    kept.emplace_back(problem.message);
  }
  const std::vector<std::string_view> shown(lines.begin(), lines.end());
  reporter_.event(
      "reloaded",
      {{"needs_restart", boost::json::array(waiting.begin(), waiting.end())}, {"problems", std::move(kept)}},
      shown);
}

ExitCode run_hub(const HubArguments& arguments, Reporter& reporter) {
  auto settings = hub_settings(arguments);
  if (!settings) {
    const ExitCode code = reporter.error(Stage::start, settings.error());
    // A file that is no TOML is as much the user's as one that says nonsense.
    return settings.error().code == Errc::malformed ? ExitCode::usage : code;
  }
  if (!arguments.config.empty()) observe::configure_log(log_of(arguments, *settings));
  warn_of_an_idle_store(*settings);
  asio::io_context shard{1};
  HubJob job{shard.get_executor(), arguments, std::move(*settings), reporter};
  return run_job(shard, job, reporter);
}

}  // namespace

void add_hub_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("hub", "Run the place where peers meet and users exchange messages");
  command->footer(
      "The hub introduces two peers and is then not needed for what they send each other; it sees sealed "
      "bytes only.\n"
      "With --open, or with keys in its settings, it also carries messages between users and groups "
      "(/v1/hub).\n"
      "Plain HTTP is served on loopback alone: elsewhere give PEM files, or let it make a development "
      "certificate\n"
      "whose fingerprint the peers pin. GET /healthz tells how it is, GET /metrics how it goes. SIGHUP makes "
      "it read\n"
      "its settings, certificate and keys again.\n\n"
      "Examples:\n"
      "  sluice hub\n"
      "  sluice hub --open --data ~/.sluice-hub\n"
      "  sluice hub --config hub.toml\n"
      "  sluice hub --listen 0.0.0.0:7788 --dev-cert ~/.sluice\n"
      "  sluice hub --listen 0.0.0.0:443 --listen [::]:443 --tls-cert chain.pem --tls-key key.pem");
  auto arguments = std::make_shared<HubArguments>();
  command->add_option("--config", arguments->config,
                      "Settings, TOML (docs/hub-settings.md); arguments go before them");
  command
      ->add_option("--listen", arguments->listen,
                   "ADDRESS:PORT; port 0: any free one; may be repeated [127.0.0.1:7788]")
      ->allow_extra_args(false);
  command->add_option("--tls-cert", arguments->tls_cert, "Certificate chain, PEM");
  command->add_option("--tls-key", arguments->tls_key, "Private key, PEM");
  command->add_option("--dev-cert", arguments->dev_cert,
                      "Folder of a self-signed certificate, made when absent");
  command->add_flag("--open", arguments->open,
                    "Let everyone in under the name that they give; on loopback only");
  command
      ->add_option("--public-name", arguments->hosts,
                   "NAME or NAME:PORT under which it is asked, such as a proxy's; may be repeated")
      ->allow_extra_args(false);
  command
      ->add_option("--allow-origin", arguments->origins,
                   "Origin, such as https://app.example, whose pages may use it; may be repeated")
      ->allow_extra_args(false);
  command->add_option(
      "--data", arguments->data,
      "Folder in which messages are kept; without it, or with :memory:, they go with the hub");
  command->add_option("--admin-token-file", arguments->admin_token_file,
                      "Offer administration (/v1/admin) to whoever has this file's token");
  command->add_option("--shards", arguments->shards, "Event loops for messaging [one a core]");
  command->callback([&app, &chosen, arguments] {
    if (app.count("--log-level") > 0)
      arguments->log_level = observe::parse_log_level(app["--log-level"]->as<std::string>()).level;
    arguments->json_log = app.count("--json") > 0;
    chosen.run = [arguments](Reporter& reporter) { return run_hub(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
