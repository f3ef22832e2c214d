#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "api/tunnel_host.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/peer_arguments.hpp"
#include "cli/run_job.hpp"
#include "core/limits.hpp"

namespace sluice::cli {
namespace {

struct HostArguments {
  PeerArguments peer;
  std::vector<std::string> targets;
  std::size_t max_clients = limits::kMaxSessions;
};

class ReportHost final : public api::TunnelHostObserver {
 public:
  explicit ReportHost(Reporter& reporter) : reporter_(reporter) {}

  void on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) override {
    if (!code) {
      reporter_.event("waiting", {}, "waiting for clients that have the key file");
      return;
    }
    const std::string text = code->text();
    boost::json::object fields{{"code", text}};
    std::string sentence = "code: " + text;
    if (expires_in) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*expires_in).count();
      fields["expires_in_s"] = seconds;
      sentence += fmt::format("   (good for {} min)", (seconds + 59) / 60);
    }
    reporter_.event("waiting", std::move(fields),
                    {sentence, "on the other side: sluice forward " + text + " PORT"});
  }
  void on_code_burnt(const Error& reason) override {
    reporter_.event("code_burnt", {{"message", describe(reason)}},
                    "somebody tried a wrong code; this one is burnt, a new one follows");
  }
  void on_peer_connected(std::uint64_t session, const transport::Path& path) override {
    reporter_.event("peer_connected", {{"session", session}, {"path", path_fields(path)}},
                    fmt::format("client {} connected, {}", session, path_text(path)));
  }
  void on_peer_closed(std::uint64_t session, const Error& reason, const api::TunnelStatus& totals) override {
    reporter_.event("peer_closed",
                    {{"session", session},
                     {"reason", name_of(reason.code)},
                     {"message", describe(reason)},
                     {"bytes_sent", totals.sent.count()},
                     {"bytes_received", totals.received.count()}},
                    fmt::format("client {} is gone: {} (out {}, in {})", session, describe(reason),
                                human_bytes(totals.sent.count()), human_bytes(totals.received.count())));
  }
  void on_trouble(const api::Failure& failure) override {
    reporter_.event("trouble", {{"code", name_of(failure.error.code)}, {"message", describe(failure.error)}},
                    describe(failure.error));
  }

 private:
  Reporter& reporter_;
};

Result<api::TunnelHostOptions> host_options(const HostArguments& arguments) {
  auto peer = peer_options(arguments.peer);
  if (!peer) return fail(std::move(peer.error()));
  api::TunnelHostOptions options{
      .peer = std::move(*peer), .targets = {}, .key = {}, .max_clients = arguments.max_clients};
  auto memory = memory_limit(arguments.peer);
  if (!memory) return fail(std::move(memory.error()));
  options.memory = *memory;
  std::vector<tunnel::Target> targets;
  for (const std::string& text : arguments.targets) {
    auto target = parse_target(text);
    if (!target) return fail(std::move(target.error()));
    targets.push_back({.name = target->name,
                       .host = target->address.host,
                       .port = target->address.port,
                       .path = target->path});
  }
  auto made = tunnel::Targets::make(std::move(targets));
  if (!made) return fail(std::move(made.error()));
  options.targets = std::move(*made);
  if (arguments.peer.key) {
    auto key = crypto::read_key_file(*arguments.peer.key);
    if (!key) return fail(std::move(key.error()));
    options.key = std::move(*key);
  }
  return options;
}

ExitCode run_host(const HostArguments& arguments, Reporter& reporter) {
  auto options = host_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  boost::asio::io_context shard{1};
  ReportHost observer{reporter};
  const auto job = api::make_tunnel_host(shard.get_executor(), std::move(*options), observer);
  return run_job(shard, *job, reporter);
}

}  // namespace

void add_host_command(CLI::App& app, Action& chosen) {
  auto* command =
      app.add_subcommand("host", "Expose TCP services of this machine, or ones that it can reach");
  command->footer(
      "Clients reach the targets named here and nothing else. Without --key a code is printed: it is good "
      "for ten\n"
      "minutes and for any number of clients, and burnt by a wrong guess; then a new one is printed.\n\n"
      "Examples:\n"
      "  sluice host 127.0.0.1:22\n"
      "  sluice host ssh=127.0.0.1:22 web=127.0.0.1:80 db=10.0.0.7:5432 docker=unix:/run/docker.sock\n"
      "  sluice host --key tunnel.key --hub wss://hub.example:7788 --stun stun.example:3478 22");
  auto arguments = std::make_shared<HostArguments>();
  command
      ->add_option("TARGET", arguments->targets,
                   "[NAME=][HOST:]PORT or [NAME=]unix:PATH; the first is the default")
      ->required();
  command
      ->add_option("--max-clients", arguments->max_clients,
                   "How many clients are served at once; one more is told that the host is full")
      ->check(CLI::Range(std::size_t{1}, limits::kMaxSessions))
      ->capture_default_str();
  add_peer_options(*command, arguments->peer);
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_host(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
