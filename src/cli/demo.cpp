#include "cli/demo.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <system_error>

#include <boost/json/value_to.hpp>
#include <fmt/format.h>

#include "cli/child_process.hpp"
#include "cli/interrupts.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kStartPatience = 30s;
constexpr auto kFetchPatience = 300s;
constexpr auto kStopPatience = 10s;
/// An event of a process that this one has started: a line.
constexpr wire::json::Limits kEventLimits{.text = Bytes{64 * 1024}, .memory = Bytes{1024 * 1024}};

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

Result<std::string> text_field(const json::object& event, std::string_view key) {
  const auto* value = event.if_contains(key);
  if (value == nullptr || !value->is_string())
    return fail(Errc::malformed, fmt::format("an event lacks '{}'", key));
  return std::string{value->as_string()};
}

struct Cost {
  std::string_view who;
  ChildProcess::Usage usage;
};

/// One showing. What it started ends with it, and what it wrote goes.
class Demonstration {
 public:
  Demonstration(const DemoArguments& arguments, Reporter& reporter, const Interrupts& interrupts)
      : arguments_(arguments), reporter_(reporter), interrupts_(interrupts) {}

  /// Errors: `cancelled` when it was interrupted, and what the steps give.
  Status run();

 private:
  using Process = std::optional<ChildProcess>;

  Status write_file();
  Status start_server();
  Status start_hub();
  Status start_host();
  Status start_forward();
  Status fetch();
  Status compare();
  Status finish();
  void report(std::span<const Cost> costs);

  Status start(Process& process, const std::vector<std::string>& arguments);
  Result<json::object> wait_event(ChildProcess& process, std::string_view name);
  Result<std::string> sha256_of(const std::filesystem::path& path);
  [[nodiscard]] ChildProcess::Waiting waiting(std::chrono::milliseconds patience) const {
    return {.patience = patience, .interrupts = &interrupts_};
  }

  const DemoArguments& arguments_;
  Reporter& reporter_;
  const Interrupts& interrupts_;
  const TemporaryFolder folder_;
  const std::filesystem::path original_ = folder_.path() / "random.bin";
  const std::filesystem::path fetched_ = folder_.path() / "fetched.bin";
  std::string http_port_;
  std::string hub_url_;
  std::string code_;
  std::uint16_t port_ = 0;  ///< Of the forward.
  json::object path_;       ///< As the forward told it.
  double rate_ = 0;         ///< Bytes a second, as curl measured it.
  std::string digest_;
  Process server_;
  Process hub_;
  Process host_;
  Process forward_;
};

Status Demonstration::run() {
  using Step = Status (Demonstration::*)();
  constexpr std::array<Step, 8> kSteps = {&Demonstration::write_file,    &Demonstration::start_server,
                                          &Demonstration::start_hub,     &Demonstration::start_host,
                                          &Demonstration::start_forward, &Demonstration::fetch,
                                          &Demonstration::compare,       &Demonstration::finish};
  for (const Step step : kSteps) {
    if (auto done = (this->*step)(); !done) return done;
  }
  return {};
}

Status Demonstration::write_file() {
  std::ifstream random{"/dev/urandom", std::ios::binary};
  std::ofstream file{original_, std::ios::binary};
  std::vector<char> chunk(1024 * 1024);
  for (std::uint64_t left = arguments_.size.count(); left > 0 && random && file;) {
    if (interrupts_.came()) return fail(Errc::cancelled, "interrupted");
    const auto step = static_cast<std::streamsize>(std::min<std::uint64_t>(left, chunk.size()));
    random.read(chunk.data(), step);
    file.write(chunk.data(), step);
    left -= static_cast<std::uint64_t>(step);
  }
  file.close();
  if (random && file) return {};
  return fail(Errc::io,
              fmt::format("cannot write {} to {}", human_bytes(arguments_.size.count()), original_.string()));
}

Status Demonstration::start(Process& process, const std::vector<std::string>& arguments) {
  auto started = ChildProcess::start(arguments);
  if (!started) return fail(std::move(started.error()));
  process.emplace(std::move(*started));
  return {};
}

/// The next event of that name; an `error` event from the process becomes the error.
Result<json::object> Demonstration::wait_event(ChildProcess& process, std::string_view name) {
  while (true) {
    auto line = process.read_line(waiting(kStartPatience));
    if (!line) {
      const Errc code = line.error().code;
      return fail(std::move(line.error()).as_cause_of(code, fmt::format("no '{}' event", name)));
    }
    const auto parsed = wire::json::parse(*line, kEventLimits);
    if (!parsed || !parsed->is_object()) continue;
    const json::object& event = parsed->as_object();
    const auto* kind = event.if_contains("event");
    if (kind == nullptr || !kind->is_string()) continue;
    if (kind->as_string() == name) return event;
    if (kind->as_string() == "error") return fail(Errc::io, std::string{event.at("message").as_string()});
  }
}

/// python3's own HTTP server says on which port it serves: "... port 41234 (http://...".
Status Demonstration::start_server() {
  if (auto started =
          start(server_, {"sh", "-c",
                          "exec python3 -u -m http.server 0 --bind 127.0.0.1 --directory \"$1\" 2>/dev/null",
                          "sh", folder_.path().string()});
      !started) {
    return started;
  }
  auto line = server_->read_line(waiting(kStartPatience));
  if (!line) return fail(std::move(line.error()));
  constexpr std::string_view kMark = " port ";
  const std::size_t at = line->find(kMark);
  if (at == std::string::npos) return fail(Errc::malformed, "the HTTP server said: " + *line);
  const std::string rest = line->substr(at + kMark.size());
  http_port_ = rest.substr(0, rest.find(' '));
  return {};
}

Status Demonstration::start_hub() {
  if (auto started = start(hub_, {arguments_.program, "hub", "--json", "--listen", "127.0.0.1:0"}); !started)
    return started;
  const auto listening = wait_event(*hub_, "listening");
  if (!listening) return fail(listening.error());
  auto url = text_field(*listening, "url");
  if (!url) return fail(std::move(url.error()));
  hub_url_ = std::move(*url);
  reporter_.event("hub", {{"url", hub_url_}},
                  fmt::format("$ sluice hub                              # {}", hub_url_));
  return {};
}

Status Demonstration::start_host() {
  if (auto started =
          start(host_, {arguments_.program, "host", "--json", "--hub", hub_url_, "127.0.0.1:" + http_port_});
      !started) {
    return started;
  }
  const auto ready = wait_event(*host_, "waiting");
  if (!ready) return fail(ready.error());
  auto code = text_field(*ready, "code");
  if (!code) return fail(std::move(code.error()));
  code_ = std::move(*code);
  reporter_.event("host", {{"code", code_}},
                  fmt::format("$ sluice host 127.0.0.1:{:<18} # code {}", http_port_, code_));
  return {};
}

Status Demonstration::start_forward() {
  if (auto started =
          start(forward_, {arguments_.program, "forward", "--json", "--hub", hub_url_, code_, "0"});
      !started) {
    return started;
  }
  const auto connected = wait_event(*forward_, "connected");
  if (!connected) return fail(connected.error());
  path_ = connected->at("path").as_object();
  const auto listening = wait_event(*forward_, "listening");
  if (!listening) return fail(listening.error());
  port_ = listening->at("port").to_number<std::uint16_t>();
  reporter_.event("forward", {{"port", port_}}, fmt::format("$ sluice forward {} {}", code_, port_));
  return {};
}

Status Demonstration::fetch() {
  const std::string address = fmt::format("http://127.0.0.1:{}/random.bin", port_);
  reporter_.event("fetching", {{"url", address}}, fmt::format("$ curl {}", address));
  // Nobody reads their figures any more.
  const std::array talkers = {&*host_, &*forward_};
  ChildProcess::Waiting fetching = waiting(kFetchPatience);
  fetching.drained = talkers;
  const auto speed =
      ChildProcess::first_line_of({"curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--output",
                                   fetched_.string(), "--write-out", "%{speed_download}\n", address},
                                  fetching);
  if (!speed) return fail(speed.error());
  rate_ = std::stod(*speed);
  return {};
}

Result<std::string> Demonstration::sha256_of(const std::filesystem::path& path) {
  auto line = ChildProcess::first_line_of({"sha256sum", path.string()}, waiting(kFetchPatience));
  if (!line) return line;
  return line->substr(0, line->find(' '));
}

Status Demonstration::compare() {
  auto sent = sha256_of(original_);
  if (!sent) return fail(std::move(sent.error()));
  auto received = sha256_of(fetched_);
  if (!received) return fail(std::move(received.error()));
  if (*sent != *received)
    return fail(Errc::malformed, fmt::format("SHA-256 differs: {} was sent, {} came", *sent, *received));
  digest_ = std::move(*sent);
  return {};
}

void Demonstration::report(std::span<const Cost> costs) {
  const auto text = [this](std::string_view key) { return json::value_to<std::string>(path_.at(key)); };
  const std::string size = human_bytes(arguments_.size.count());
  reporter_.event(
      "fetched",
      {{"bytes", arguments_.size.count()}, {"bytes_per_s", rate_}, {"sha256", digest_}, {"path", path_}},
      {fmt::format("fetched {} at {}, path {} ({} -> {})", size, human_rate(rate_), text("kind"),
                   text("local"), text("remote")),
       fmt::format("SHA-256 matches: {}", digest_)});
  for (const Cost& cost : costs) {
    const double cpu = std::chrono::duration<double>(cost.usage.cpu).count();
    reporter_.event("cost",
                    {{"process", cost.who}, {"cpu_s", cpu}, {"peak_rss_bytes", cost.usage.peak_rss.count()}},
                    fmt::format("{:<8} CPU {:5.2f} s, peak memory {}", cost.who, cpu,
                                human_bytes(cost.usage.peak_rss.count())));
  }
}

Status Demonstration::finish() {
  const auto patience = waiting(kStopPatience);
  const std::array costs = {Cost{"forward", forward_->stop(patience)}, Cost{"host", host_->stop(patience)},
                            Cost{"hub", hub_->stop(patience)}};
  if (interrupts_.came()) return fail(Errc::cancelled, "interrupted");
  report(costs);
  for (const Cost& cost : costs) {
    if (cost.usage.exit_status != 0)
      return fail(Errc::io, fmt::format("{} ended with exit status {}", cost.who, cost.usage.exit_status));
  }
  return {};
}

}  // namespace

ExitCode run_demo(const DemoArguments& arguments, Reporter& reporter) {
  DemoArguments complete = arguments;
  if (complete.program.empty()) complete.program = std::filesystem::read_symlink("/proc/self/exe").string();
  const Interrupts interrupts;
  auto shown = Demonstration{complete, reporter, interrupts}.run();
  if (shown) return ExitCode::ok;
  // Ctrl-C reaches the programs beside us as well: what they then say is not why it ended.
  if (interrupts.came()) {
    reporter.error(Stage::start, {.code = Errc::cancelled, .message = "the demo was interrupted"});
    return ExitCode::interrupted;
  }
  return reporter.error(Stage::start, std::move(shown.error()).as_cause_of(Errc::io, "the demo failed"));
}

}  // namespace sluice::cli
