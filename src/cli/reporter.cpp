#include "cli/reporter.hpp"

#include <array>
#include <cmath>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "observe/log.hpp"
#include "observe/printable.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

using observe::printable;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kIndent = "        ";  // below what follows "sluice: "
constexpr std::string_view kEraseLine = "\r\x1b[2K";
/// How long something that happened waits for a reader that is slow: the shard stands still meanwhile.
constexpr auto kPatience = 1s;

/// A text's beginning, cut between two characters of UTF-8.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80;
    if (begins && count-- == 0) break;
  }
  return text.substr(0, end);
}

/// The first line that leaves the terminal's last column free: one that wraps could not be erased.
std::string fitting(std::initializer_list<std::string_view> lines, std::size_t columns) {
  std::string line;
  std::string_view shown;
  for (const std::string_view text : lines) {
    line = printable(text);
    shown = first_characters(line, columns - 1);
    if (shown.size() == line.size()) break;
  }
  return std::string{shown};
}

std::string json_line(std::string_view name, boost::json::object fields) {
  boost::json::object whole;
  whole["event"] = name;
  for (auto& field : fields) whole.insert_or_assign(field.key(), std::move(field.value()));
  return printable(boost::json::serialize(whole)) + '\n';
}

}  // namespace

Reporter::Reporter(Config config)
    : format_(config.format), out_(config.out), err_(config.err), terminal_(out_.is_terminal()) {}

Reporter::~Reporter() {
  clear_status();
}

void Reporter::event(std::string_view name, boost::json::object fields, std::string_view sentence) {
  event(name, std::move(fields), {sentence});
}

void Reporter::event(std::string_view name, boost::json::object fields,
                     std::initializer_list<std::string_view> lines) {
  event(name, std::move(fields), std::span{lines.begin(), lines.size()});
}

void Reporter::event(std::string_view name, boost::json::object fields,
                     std::span<const std::string_view> lines) {
  if (format_ == Format::json) {
    deliver(json_line(name, std::move(fields)));
    return;
  }
  for (const std::string_view text : lines) {
    if (!text.empty()) line(text);
  }
}

void Reporter::status(boost::json::object fields, std::initializer_list<std::string_view> lines) {
  if (format_ == Format::json) {
    stats(std::move(fields));
  } else if (terminal_) {
    const std::string text = fitting(lines, out_.columns());
    if (out_.write(fmt::format("{}{}", kEraseLine, text), 0ms)) status_shown_ = true;
  }
}

void Reporter::stats(boost::json::object fields) {
  if (dropped_stats_ > 0) fields["dropped_stats"] = dropped_stats_;
  if (dropped_events_ > 0) fields["dropped_events"] = dropped_events_;
  if (out_.write(json_line("stats", std::move(fields)), 0ms)) {
    stuck_ = false;
    dropped_stats_ = dropped_events_ = 0;
  } else {
    ++dropped_stats_;
  }
}

ExitCode Reporter::error(Stage stage, const Error& error) {
  const std::string_view next = hint(stage, error.code);
  if (format_ == Format::json) {
    event("error", {{"code", name_of(error.code)}, {"message", explain(stage, error)}, {"hint", next}}, {});
    return exit_code(stage, error.code);
  }
  clear_status();
  const bool colour = err_.is_terminal() && !observe::colours_refused();
  const std::string what = explain(stage, error);
  std::string text = fmt::format("{}sluice:{}", colour ? kRed : "", colour ? kPlain : "");
  // Before anything was reached all that is said is of this program's own making.
  const bool ours = stage == Stage::start;
  for (const std::string_view told : ours ? lines_of(what) : std::vector<std::string_view>{what})
    text += fmt::format("{}{}\n", text.ends_with('\n') ? kIndent : " ", printable(told));
  if (!next.empty()) text += fmt::format("{}{}\n", kIndent, next);
  err_.write(text, kPatience);
  return exit_code(stage, error.code);
}

void Reporter::clear_status() {
  if (status_shown_) status_shown_ = !out_.write(kEraseLine, 0ms);
}

void Reporter::line(std::string_view text) {
  deliver(fmt::format("{}{}\n", status_shown_ ? kEraseLine : "", printable(text)));
}

void Reporter::deliver(std::string_view text) {
  stuck_ = !out_.write(text, stuck_ ? 0ms : kPatience);
  if (stuck_) {
    ++dropped_events_;
    warn_of_drops();
  } else {
    status_shown_ = false;
  }
}

void Reporter::warn_of_drops() {
  // The log may lead to the same reader, and it does wait.
  if (warned_ || !err_.takes_more()) return;
  warned_ = true;
  observe::log(observe::LogLevel::warn, "cli",
               "nobody reads the output: events are dropped until somebody does");
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    lines.push_back(text.substr(0, end));
  lines.push_back(text);
  return lines;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string human_rate(double bytes_per_second) {
  return human_bytes(static_cast<std::uint64_t>(std::max(0.0, std::round(bytes_per_second)))) + "/s";
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const double us = std::chrono::duration<double, std::micro>(duration).count();
  if (us < 1'000) return fmt::format("{:.0f} us", us);
  if (us < 1'000'000) return fmt::format("{:.1f} ms", us / 1'000);
  return fmt::format("{:.1f} s", us / 1'000'000);
}

}  // namespace sluice::cli
