#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "api/load.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/run_job.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
using api::LoadOptions;
using api::LoadReport;

struct LoadArguments {
  std::string hub = "ws://127.0.0.1:7788";
  std::optional<std::string> hub_pin;
  std::string encoding = "proto";
  std::string mode = "single_e2e";
  std::size_t clients = 200;
  std::string duration = "60s";
  std::string interval = "100ms";
  std::optional<double> rate;
  std::size_t size = 256;
  std::string slow = "0%";
  std::string slow_delay = "5s";
  std::size_t groups = 10;
  bool random = false;
  bool no_ack = false;
  std::size_t threads = 1;
};

double milliseconds(Duration duration) {
  return std::round(std::chrono::duration<double, std::milli>(duration).count() * 1'000) / 1'000;
}
double seconds(Duration duration) {
  return std::round(std::chrono::duration<double>(duration).count() * 1'000) / 1'000;
}

Result<LoadOptions> load_options(const LoadArguments& arguments) {
  LoadOptions options;
  auto hub = api::parse_hub(arguments.hub, arguments.hub_pin);
  if (!hub) return fail(std::move(hub.error()));
  options.hub = std::move(*hub);
  options.encoding = arguments.encoding == "json" ? wire::hub::Encoding::json : wire::hub::Encoding::proto;
  if (arguments.mode == "group") options.mode = LoadOptions::Mode::group;
  if (arguments.mode == "storm") options.mode = LoadOptions::Mode::storm;
  options.clients = arguments.clients;
  options.groups = std::min(arguments.groups, arguments.clients);
  options.size = arguments.size;
  options.threads = arguments.threads;
  if (arguments.random) options.target = LoadOptions::Target::random;
  if (arguments.no_ack) options.acknowledge = LoadOptions::Acknowledge::no;
  for (const auto& [text, into] :
       {std::pair{&arguments.duration, &options.duration}, std::pair{&arguments.interval, &options.interval},
        std::pair{&arguments.slow_delay, &options.slow_delay}}) {
    auto duration = parse_duration(*text);
    if (!duration) return fail(std::move(duration.error()));
    *into = *duration;
  }
  if (arguments.rate) {
    const double each = static_cast<double>(arguments.clients) / *arguments.rate;
    options.interval = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(each));
  }
  if (options.interval <= Duration::zero())
    return fail(Errc::invalid_argument, "an interval, or a rate, must be more than nothing");
  auto slow = parse_share(arguments.slow);
  if (!slow) return fail(std::move(slow.error()));
  options.slow = *slow;
  std::random_device device;
  options.run = std::uint64_t{device()} << 32 | device();
  options.prefix = fmt::format("l{:06x}", options.run & 0xFF'FF'FF);
  return options;
}

boost::json::object fields_of(const LoadReport& report) {
  const api::LoadCounts& counts = report.counts;
  boost::json::object fields{{"clients", report.clients},
                             {"slow", report.slow},
                             {"duration_s", seconds(report.sending)},
                             {"sent", counts.sent},
                             {"accepted", counts.accepted},
                             {"refused", counts.refused},
                             {"unanswered", report.unanswered},
                             {"held_back", counts.held_back},
                             {"delivered", report.delivered},
                             {"gapped", report.gapped},
                             {"slow_cut", counts.slow_cut},
                             {"normal_cut", counts.normal_cut},
                             {"p50_ms", milliseconds(report.latencies.percentile(0.5))},
                             {"p99_ms", milliseconds(report.latencies.percentile(0.99))},
                             {"max_ms", milliseconds(report.latencies.longest())},
                             {"out_of_order", report.out_of_order},
                             {"duplicates", report.duplicates},
                             {"missing", report.missing},
                             {"untold", report.untold},
                             {"strange", counts.strange},
                             {"cpu_s", seconds(report.cpu)},
                             {"connect_s", seconds(report.connect_took)},
                             {"failed_attempts", report.failed_attempts}};
  if (counts.slow_cut > 0) fields["slow_cut_max_s"] = seconds(counts.longest_to_cut);
  if (counts.reconnects > 0) {
    fields["reconnects"] = counts.reconnects;
    fields["back_s"] = seconds(report.back_took);
  }
  if (!counts.last_trouble.empty()) fields["last_trouble"] = counts.last_trouble;
  return fields;
}

std::string progress_text(const LoadReport& report) {
  const api::LoadCounts& counts = report.counts;
  return fmt::format(
      "{:.0f} s | {} of {} clients | sent {} | delivered {} | gaps {} | cut {} slow, {} normal | "
      "p50 {} p99 {}",
      std::chrono::duration<double>(report.sending).count(), report.ready, report.clients, counts.sent,
      report.delivered, report.gapped, counts.slow_cut, counts.normal_cut,
      human_duration(report.latencies.percentile(0.5)), human_duration(report.latencies.percentile(0.99)));
}

void tell(const LoadReport& report, Reporter& reporter) {
  const api::LoadCounts& counts = report.counts;
  const double time = std::max(0.001, std::chrono::duration<double>(report.sending).count());
  const std::string storm = fmt::format("{} connections came back, all of them within {}", counts.reconnects,
                                        human_duration(report.back_took));
  const std::string slow =
      fmt::format("{} of {} slow clients were cut, the last {} after it stalled; {} normal ones",
                  counts.slow_cut, report.slow, human_duration(counts.longest_to_cut), counts.normal_cut);
  reporter.event(
      "load", fields_of(report),
      {fmt::format("{} clients sent {} messages in {:.1f} s: {} accepted, {} refused, {} without an answer",
                   report.clients, counts.sent, time, counts.accepted, counts.refused, report.unanswered),
       fmt::format("{} delivered ({:.0f}/s), {} told as gaps", report.delivered,
                   static_cast<double>(report.delivered) / time, report.gapped),
       fmt::format("latency p50 {}, p99 {}, longest {}; {:.1f} s of CPU here",
                   human_duration(report.latencies.percentile(0.5)),
                   human_duration(report.latencies.percentile(0.99)),
                   human_duration(report.latencies.longest()),
                   std::chrono::duration<double>(report.cpu).count()),
       counts.slow_cut + counts.normal_cut + report.slow > 0 ? slow : "",
       counts.reconnects > 0 ? storm : ""});
}

ExitCode run_load(const LoadArguments& arguments, Reporter& reporter) {
  auto options = load_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  asio::io_context shard{1};
  api::LoadRun run{shard.get_executor(), std::move(*options), [&](const LoadReport& report) {
                     if (!reporter.is_json()) reporter.status({}, {progress_text(report)});
                   }};
  const ExitCode code = run_job(shard, run, reporter);
  if (code != ExitCode::ok) return code;
  tell(run.report(), reporter);
  const std::string wrong = run.report().verdict();
  if (wrong.empty()) return ExitCode::ok;
  return reporter.error(Stage::running,
                        {.code = Errc::protocol_violation, .message = "the run failed: " + wrong});
}

}  // namespace

void add_load_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("load", "Load a hub with many clients, and check what comes of it");
  command->footer(
      "Every message is accounted for: the order of each sender, nothing twice, and all that was accepted "
      "has "
      "come or was\n"
      "told as a gap. The exit status is 0 only when that is so and no client was cut that is not slow. The "
      "hub "
      "is to be open.\n\n"
      "Modes: single_e2e, each client sends to the next one; group, all send to their group; storm, all are "
      "cut "
      "half-way and\n"
      "come back at once, where nothing may be lost.\n\n"
      "Examples:\n"
      "  sluice load --clients 200 --duration 60s --interval 100ms --slow 30% --slow-delay 5s\n"
      "  sluice load --mode group --groups 1 --clients 1000 --rate 100 --json");
  auto arguments = std::make_shared<LoadArguments>();
  command->add_option("--hub", arguments->hub, "The hub")->envname("SLUICE_HUB")->capture_default_str();
  command->add_option("--hub-pin", arguments->hub_pin,
                      "Accept only the hub with this certificate, sha256:...");
  command->add_option("--encoding", arguments->encoding, "What is spoken: proto or json")
      ->check(CLI::IsMember({"proto", "json"}))
      ->capture_default_str();
  command->add_option("--mode", arguments->mode, "single_e2e, group or storm")
      ->check(CLI::IsMember({"single_e2e", "group", "storm"}))
      ->capture_default_str();
  command->add_option("--clients", arguments->clients, "How many")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--duration", arguments->duration, "How long they send")->capture_default_str();
  auto* interval = command->add_option("--interval", arguments->interval, "Between two messages of a client")
                       ->capture_default_str();
  command->add_option("--rate", arguments->rate, "Messages a second of all clients together")
      ->check(CLI::PositiveNumber)
      ->excludes(interval);
  command->add_option("--size", arguments->size, "Bytes of a message's content")
      ->check(CLI::Range(std::size_t{28}, std::size_t{60'000}))
      ->capture_default_str();
  command->add_option("--slow", arguments->slow, "The part of them that is slow, as 30% or 0.3")
      ->capture_default_str();
  command->add_option("--slow-delay", arguments->slow_delay, "How long a slow one rests after each message")
      ->capture_default_str();
  command->add_option("--groups", arguments->groups, "Of mode group: how many there are")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_flag("--random", arguments->random, "To a random client, not to the next one");
  command->add_flag("--no-ack", arguments->no_ack,
                    "Acknowledge nothing: slow clients show only when their sockets are full");
  command->add_option("--threads", arguments->threads, "Threads of the clients")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_load(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
