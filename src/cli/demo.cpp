#include "cli/demo.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <fmt/format.h>

#include "cli/child_process.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kStartPatience = 30s;
constexpr auto kFetchPatience = 300s;
constexpr auto kStopPatience = 10s;

/// A folder of our own that goes when the demo ends, however it ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "cannot make a folder in " + name);
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Status write_random_file(const std::filesystem::path& path, Bytes size) {
  std::ifstream random{"/dev/urandom", std::ios::binary};
  std::ofstream file{path, std::ios::binary};
  std::vector<char> chunk(1024 * 1024);
  for (std::uint64_t left = size.count(); left > 0 && random && file;) {
    const auto step = static_cast<std::streamsize>(std::min<std::uint64_t>(left, chunk.size()));
    random.read(chunk.data(), step);
    file.write(chunk.data(), step);
    left -= static_cast<std::uint64_t>(step);
  }
  file.close();
  if (!random || !file)
    return fail(Errc::io, fmt::format("cannot write {} to {}", human_bytes(size.count()), path.string()));
  return {};
}

/// The next event of that name; an `error` event from the process becomes the error.
Result<json::object> wait_event(ChildProcess& process, std::string_view name) {
  while (true) {
    auto line = process.read_line({.patience = kStartPatience});
    if (!line) return fail(std::move(line.error()).as_cause_of(Errc::io, fmt::format("no '{}' event", name)));
    std::error_code error;
    const json::value parsed = json::parse(*line, error);
    if (error || !parsed.is_object()) continue;
    const json::object& event = parsed.as_object();
    const auto* kind = event.if_contains("event");
    if (kind == nullptr || !kind->is_string()) continue;
    if (kind->as_string() == std::string_view{name}) return event;
    if (kind->as_string() == "error") return fail(Errc::io, std::string{event.at("message").as_string()});
  }
}

Result<std::string> text_field(const json::object& event, std::string_view key) {
  const auto* value = event.if_contains(key);
  if (value == nullptr || !value->is_string())
    return fail(Errc::malformed, fmt::format("an event lacks '{}'", key));
  return std::string{value->as_string()};
}

/// Processes whose output nobody wants any more.
using Drained = std::span<ChildProcess* const>;

/// Runs a program to its end and returns its first line of output.
Result<std::string> output_of(const std::vector<std::string>& arguments, Drained drained) {
  auto process = ChildProcess::start(arguments);
  if (!process) return fail(process.error());
  auto line = process->read_line({.patience = kFetchPatience, .drained = drained});
  const auto usage = process->wait({.patience = kStopPatience, .drained = drained});
  if (!usage) return fail(usage.error());
  if (usage->exit_status != 0) {
    return fail(Errc::io,
                fmt::format("'{}' failed with exit status {}", arguments.front(), usage->exit_status));
  }
  return line;
}

Result<std::string> sha256_of(const std::filesystem::path& path, Drained drained) {
  auto line = output_of({"sha256sum", path.string()}, drained);
  if (!line) return line;
  return line->substr(0, line->find(' '));
}

/// python3's own HTTP server says on which port it serves: "... port 41234 (http://...".
Result<std::string> port_of_http_server(ChildProcess& server) {
  auto line = server.read_line({.patience = kStartPatience});
  if (!line) return line;
  constexpr std::string_view kMark = " port ";
  const std::size_t at = line->find(kMark);
  if (at == std::string::npos) return fail(Errc::malformed, "the HTTP server said: " + *line);
  const std::string rest = line->substr(at + kMark.size());
  return rest.substr(0, rest.find(' '));
}

struct Cost {
  std::string_view who;
  ChildProcess::Usage usage;
};

void report(Reporter& reporter, const DemoArguments& arguments, const json::object& connected, double rate,
            std::string_view digest, std::span<const Cost> costs) {
  const json::object& path = connected.at("path").as_object();
  const auto kind = json::value_to<std::string>(path.at("kind"));
  const auto local = json::value_to<std::string>(path.at("local"));
  const auto remote = json::value_to<std::string>(path.at("remote"));
  reporter.event(
      "fetched",
      {{"bytes", arguments.size.count()}, {"bytes_per_s", rate}, {"sha256", digest}, {"path", path}},
      {fmt::format("fetched {} at {}, path {} ({} -> {})", human_bytes(arguments.size.count()),
                   human_rate(rate), kind, local, remote),
       fmt::format("SHA-256 matches: {}", digest)});
  for (const Cost& cost : costs) {
    const double cpu = std::chrono::duration<double>(cost.usage.cpu).count();
    reporter.event("cost",
                   {{"process", cost.who}, {"cpu_s", cpu}, {"peak_rss_bytes", cost.usage.peak_rss.count()}},
                   fmt::format("{:<8} CPU {:5.2f} s, peak memory {}", cost.who, cpu,
                               human_bytes(cost.usage.peak_rss.count())));
  }
}

Status demonstrate(const DemoArguments& arguments, Reporter& reporter) {
  const TemporaryFolder folder;
  const std::filesystem::path original = folder.path() / "random.bin";
  const std::filesystem::path fetched = folder.path() / "fetched.bin";
  if (auto written = write_random_file(original, arguments.size); !written) return written;

  auto server = ChildProcess::start(
      {"sh", "-c", "exec python3 -u -m http.server 0 --bind 127.0.0.1 --directory \"$1\" 2>/dev/null", "sh",
       folder.path().string()});
  if (!server) return fail(server.error());
  const auto http_port = port_of_http_server(*server);
  if (!http_port) return fail(http_port.error());

  auto hub = ChildProcess::start({arguments.program, "hub", "--json", "--listen", "127.0.0.1:0"});
  if (!hub) return fail(hub.error());
  const auto hub_event = wait_event(*hub, "listening");
  if (!hub_event) return fail(hub_event.error());
  const auto url = text_field(*hub_event, "url");
  if (!url) return fail(url.error());
  reporter.event("hub", {{"url", *url}}, fmt::format("$ sluice hub                              # {}", *url));

  auto host =
      ChildProcess::start({arguments.program, "host", "--json", "--hub", *url, "127.0.0.1:" + *http_port});
  if (!host) return fail(host.error());
  const auto waiting = wait_event(*host, "waiting");
  if (!waiting) return fail(waiting.error());
  const auto code = text_field(*waiting, "code");
  if (!code) return fail(code.error());
  reporter.event("host", {{"code", *code}},
                 fmt::format("$ sluice host 127.0.0.1:{:<18} # code {}", *http_port, *code));

  auto forward = ChildProcess::start({arguments.program, "forward", "--json", "--hub", *url, *code, "0"});
  if (!forward) return fail(forward.error());
  const auto connected = wait_event(*forward, "connected");
  if (!connected) return fail(connected.error());
  const auto listening = wait_event(*forward, "listening");
  if (!listening) return fail(listening.error());
  const auto port = listening->at("port").to_number<std::uint16_t>();
  const std::string address = fmt::format("http://127.0.0.1:{}/random.bin", port);
  reporter.event("forward", {{"port", port}},
                 {fmt::format("$ sluice forward {} {}", *code, port), fmt::format("$ curl {}", address)});

  const std::array talkers = {&*host, &*forward};
  const auto speed = output_of({"curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--output",
                                fetched.string(), "--write-out", "%{speed_download}\n", address},
                               talkers);
  if (!speed) return fail(speed.error());
  const auto sent_digest = sha256_of(original, talkers);
  const auto received_digest = sha256_of(fetched, talkers);
  if (!sent_digest || !received_digest) return fail((sent_digest ? received_digest : sent_digest).error());
  if (*sent_digest != *received_digest) {
    return fail(Errc::malformed,
                fmt::format("SHA-256 differs: {} was sent, {} came", *sent_digest, *received_digest));
  }

  const std::array costs = {Cost{"forward", forward->stop({.patience = kStopPatience})},
                            Cost{"host", host->stop({.patience = kStopPatience})},
                            Cost{"hub", hub->stop({.patience = kStopPatience})}};
  report(reporter, arguments, *connected, std::stod(*speed), *sent_digest, costs);
  for (const Cost& cost : costs) {
    if (cost.usage.exit_status != 0) {
      return fail(Errc::io, fmt::format("{} ended with exit status {}", cost.who, cost.usage.exit_status));
    }
  }
  return {};
}

}  // namespace

ExitCode run_demo(const DemoArguments& arguments, Reporter& reporter) {
  DemoArguments complete = arguments;
  if (complete.program.empty()) complete.program = std::filesystem::read_symlink("/proc/self/exe").string();
  if (auto shown = demonstrate(complete, reporter); !shown) {
    return reporter.error(Stage::start, std::move(shown.error()).as_cause_of(Errc::io, "the demo failed"));
  }
  return ExitCode::ok;
}

}  // namespace sluice::cli
