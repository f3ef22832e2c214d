#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/tunnel_forward.hpp"
#include "cli/arguments.hpp"
#include "cli/code_source.hpp"
#include "cli/command.hpp"
#include "cli/peer_arguments.hpp"
#include "cli/run_job.hpp"

namespace sluice::cli {
namespace {

struct ForwardArguments {
  PeerArguments peer;
  std::vector<std::string> positional;  ///< [CODE] [PORT[:TARGET]...]
  std::vector<std::string> listen;
  std::optional<std::string> stdio;
  std::optional<std::string> code_file;
};

/// Who ends a tunnel that is closed in good order.
enum class Ends : std::uint8_t {
  with_host,
  with_us,  ///< After Ctrl-C; with `--stdio`, when its stream has ended.
};

class ReportForward final : public api::TunnelForwardObserver {
 public:
  ReportForward(Reporter& reporter, Ends ends) : reporter_(reporter), ends_(ends) {}

  /// From here on it is this side that ends the tunnel.
  void on_stop() { ends_ = Ends::with_us; }

  void on_connected(const transport::Path& path, Duration took) override {
    reporter_.event(
        "connected",
        {{"path", path_fields(path)}, {"took_ms", std::chrono::duration<double, std::milli>(took).count()}},
        fmt::format("connected in {}, {}", human_duration(took), path_text(path)));
  }
  void on_listening(const tunnel::LocalPort& bound) override {
    boost::json::object fields{{"service", "forward"}, {"target", bound.target}};
    if (bound.path.empty()) {
      fields["address"] = bound.bind;
      fields["port"] = bound.port;
    } else {
      fields["path"] = bound.path;
    }
    fields["addresses"] = boost::json::array(bound.addresses.begin(), bound.addresses.end());
    reporter_.event(
        "listening", std::move(fields),
        fmt::format("{} leads to {}", fmt::join(bound.addresses, ", "),
                    bound.target.empty() ? "the host's default target" : "'" + bound.target + "'"));
  }
  void on_closed(const Error& reason) override {
    reporter_.event("closed", {{"reason", name_of(reason.code)}, {"message", describe(reason)}},
                    sentence_of(reason));
  }
  void on_retry(const api::Failure& failure, Duration in) override {
    reporter_.event(
        "retry",
        {{"code", name_of(failure.error.code)},
         {"message", explain(failure.stage, failure.error)},
         {"in_ms", std::chrono::duration<double, std::milli>(in).count()}},
        fmt::format("{}; trying again in {}", explain(failure.stage, failure.error), human_duration(in)));
  }

 private:
  [[nodiscard]] std::string sentence_of(const Error& reason) const {
    if (reason.code != Errc::closed) return fmt::format("the host is gone: {}", describe(reason));
    return ends_ == Ends::with_us ? describe(reason) : explain(Stage::running, reason);
  }

  Reporter& reporter_;
  Ends ends_;
};

Result<api::Credential> credential_of(const ForwardArguments& arguments,
                                      const std::optional<std::string>& argument) {
  if (arguments.peer.key) {
    if (argument || arguments.code_file)
      return fail(Errc::invalid_argument, "--key and a code exclude each other");
    auto key = crypto::read_key_file(*arguments.peer.key);
    if (!key) return fail(std::move(key.error()));
    return std::move(*key);
  }
  const auto text = find_code({.argument = argument, .file = arguments.code_file});
  if (!text) return fail(text.error());
  auto code = crypto::Code::parse(*text);
  if (!code) return fail(std::move(code.error()));
  return *code;
}

Result<api::TunnelForwardOptions> forward_options(const ForwardArguments& arguments) {
  auto peer = peer_options(arguments.peer);
  if (!peer) return fail(std::move(peer.error()));
  std::vector<std::string> listen = arguments.positional;
  std::optional<std::string> code;
  const auto given = arguments.peer.key || arguments.code_file ? CodeGiven::elsewhere : CodeGiven::no;
  if (!listen.empty() && looks_like_code(listen.front(), given)) {
    code = listen.front();
    listen.erase(listen.begin());
  }
  listen.insert(listen.end(), arguments.listen.begin(), arguments.listen.end());
  std::vector<tunnel::LocalPort> ports;
  for (const std::string& text : listen) {
    auto place = parse_listen(text);
    if (!place) return fail(std::move(place.error()));
    ports.push_back(
        {.bind = place->bind.host, .port = place->bind.port, .path = place->path, .target = place->target});
  }
  if (ports.empty() && !arguments.stdio) {
    return fail(Errc::invalid_argument, "nothing to do: name a local port, as in `sluice forward CODE 2222`");
  }
  auto memory = memory_limit(arguments.peer);
  if (!memory) return fail(std::move(memory.error()));
  auto credential = credential_of(arguments, code);
  if (!credential) return fail(std::move(credential.error()));
  return api::TunnelForwardOptions{.peer = std::move(*peer),
                                   .credential = std::move(*credential),
                                   .ports = std::move(ports),
                                   .stdio_target = arguments.stdio,
                                   .memory = *memory};
}

ExitCode run_forward(const ForwardArguments& arguments, Reporter& reporter) {
  auto options = forward_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  boost::asio::io_context shard{1};
  ReportForward observer{reporter, arguments.stdio ? Ends::with_us : Ends::with_host};
  const auto job = api::make_tunnel_forward(shard.get_executor(), std::move(*options), observer);
  return run_job(shard, *job, reporter, [&observer] { observer.on_stop(); });
}

}  // namespace

void add_forward_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("forward", "Reach the services of a host on local ports");
  command->footer(
      "The code may also come from --code-file, from SLUICE_CODE or from a prompt, so that it need not stand "
      "in the\n"
      "process list.\n\n"
      "Examples:\n"
      "  sluice forward 7-goldfish-amusement-tiger 2222\n"
      "  sluice forward 7-goldfish-amusement-tiger -L 2222:ssh -L 127.0.0.1:8080:web\n"
      "  sluice forward --key tunnel.key --hub wss://hub.example:7788 5432:db\n"
      "  sluice forward 7-goldfish-amusement-tiger localhost:8080:web unix:/run/me/db.sock:db\n"
      "  ssh -o ProxyCommand='sluice forward --key tunnel.key --stdio ssh' user@host");
  auto arguments = std::make_shared<ForwardArguments>();
  command->add_option("CODE PORT", arguments->positional,
                      "[CODE] [[BIND:]PORT[:TARGET]... | unix:PATH[:TARGET]...]; port 0: any free one; BIND\n"
                      "localhost or *: both families");
  command->add_option("-L", arguments->listen, "[BIND:]PORT[:TARGET] or unix:PATH[:TARGET]; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--stdio", arguments->stdio,
                      "Join standard input and output to this target ('' for the default)");
  command->add_option("--code-file", arguments->code_file, "Read the code from a file, - for standard input");
  add_peer_options(*command, arguments->peer);
  command->callback([&chosen, arguments] {
    chosen.stdout_is_data = arguments->stdio.has_value();
    chosen.run = [arguments](Reporter& reporter) { return run_forward(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
