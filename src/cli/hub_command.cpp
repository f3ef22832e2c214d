#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/hub_server.hpp"
#include "cli/command.hpp"
#include "cli/run_job.hpp"
#include "cli/version.hpp"
#include "runtime/wake_up.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

struct HubArguments {
  std::vector<std::string> listen = {"127.0.0.1:7788"};
  std::string tls_cert;
  std::string tls_key;
  std::string dev_cert;
};

/// A hub server for as long as nobody stops it.
class HubJob final : public api::Job {
 public:
  HubJob(const asio::any_io_executor& executor, api::HubOptions options, Reporter& reporter)
      : server_(executor, std::move(options)), stopped_(executor), reporter_(reporter) {}

  asio::awaitable<std::optional<api::Failure>> run() override {
    const auto started = server_.start();
    if (started) {
      announce(*started);
      co_await stopped_.wait();
    }
    co_await server_.stop();
    if (!started) co_return api::Failure{.stage = Stage::start, .error = started.error()};
    co_return std::nullopt;
  }
  void stop() override { stopped_.notify(); }
  [[nodiscard]] std::optional<api::TunnelStatus> status() const override { return std::nullopt; }

 private:
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

  api::HubServer server_;
  runtime::WakeUp stopped_;
  Reporter& reporter_;
};

Result<api::HubOptions> hub_options(const HubArguments& arguments) {
  api::HubOptions options;
  options.listen = arguments.listen;
  options.version = kVersion;
  if (arguments.tls_cert.empty() != arguments.tls_key.empty()) {
    return fail(Errc::invalid_argument, "--tls-cert and --tls-key go together");
  }
  if (!arguments.tls_cert.empty()) {
    options.tls = websocket::PemFiles{.certificate = arguments.tls_cert, .key = arguments.tls_key};
  }
  if (!arguments.dev_cert.empty()) options.development_certificate = arguments.dev_cert;
  return options;
}

ExitCode run_hub(const HubArguments& arguments, Reporter& reporter) {
  auto options = hub_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  asio::io_context shard{1};
  HubJob job{shard.get_executor(), std::move(*options), reporter};
  return run_job(shard, job, reporter);
}

}  // namespace

void add_hub_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("hub", "Run the place where peers meet");
  command->footer(
      "The hub introduces two peers and is then not needed; it sees sealed bytes only. Plain HTTP is served "
      "on loopback\n"
      "alone: elsewhere give PEM files, or let it make a development certificate whose fingerprint the peers "
      "pin.\n"
      "GET /healthz tells how it is.\n\n"
      "Examples:\n"
      "  sluice hub\n"
      "  sluice hub --listen 0.0.0.0:7788 --dev-cert ~/.sluice\n"
      "  sluice hub --listen 0.0.0.0:443 --listen [::]:443 --tls-cert chain.pem --tls-key key.pem");
  auto arguments = std::make_shared<HubArguments>();
  command->add_option("--listen", arguments->listen, "ADDRESS:PORT; port 0: any free one; may be repeated")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--tls-cert", arguments->tls_cert, "Certificate chain, PEM");
  command->add_option("--tls-key", arguments->tls_key, "Private key, PEM");
  command->add_option("--dev-cert", arguments->dev_cert,
                      "Folder of a self-signed certificate, made when absent");
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_hub(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
