#include "cli/reporter.hpp"

#include <array>
#include <cmath>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace sluice::cli {
namespace {

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    out += code < 0x20 || code == 0x7F ? '?' : c;
  }
  return out;
}

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kEraseLine = "\r\x1b[2K";

}  // namespace

Reporter::Reporter(Config config) : config_(config), terminal_(::isatty(::fileno(config.out)) == 1) {}

Reporter::~Reporter() {
  clear_status();
}

void Reporter::event(std::string_view name, boost::json::object fields, std::string_view sentence) {
  event(name, std::move(fields), {sentence});
}

void Reporter::event(std::string_view name, boost::json::object fields,
                     std::initializer_list<std::string_view> lines) {
  if (config_.format == Format::json) {
    boost::json::object whole;
    whole["event"] = name;
    for (auto& field : fields) whole.insert_or_assign(field.key(), std::move(field.value()));
    line(boost::json::serialize(whole));
    return;
  }
  for (const std::string_view text : lines) {
    if (text.empty()) continue;
    clear_status();
    line(printable(text));
  }
}

void Reporter::status(boost::json::object fields, std::string_view text) {
  if (config_.format == Format::json) {
    event("stats", std::move(fields), {});
  } else if (terminal_) {
    fmt::print(config_.out, "{}{}", kEraseLine, printable(text));
    std::fflush(config_.out);
    status_shown_ = true;
  }
}

ExitCode Reporter::error(Stage stage, const Error& error) {
  const std::string_view next = hint(stage, error.code);
  if (config_.format == Format::json) {
    event("error", {{"code", name_of(error.code)}, {"message", describe(error)}, {"hint", next}}, {});
  } else {
    clear_status();
    std::fflush(config_.out);
    const bool colour = ::isatty(STDERR_FILENO) == 1;
    fmt::print(stderr, "{}sluice:{} {}\n", colour ? kRed : "", colour ? kPlain : "",
               printable(describe(error)));
    if (!next.empty()) fmt::print(stderr, "        {}\n", next);
  }
  return exit_code(stage, error.code);
}

void Reporter::clear_status() {
  if (!status_shown_) return;
  fmt::print(config_.out, "{}", kEraseLine);
  std::fflush(config_.out);
  status_shown_ = false;
}

void Reporter::line(std::string_view text) {
  fmt::print(config_.out, "{}\n", text);
  std::fflush(config_.out);
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
