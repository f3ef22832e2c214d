#include "observe/log.hpp"

#include <array>
#include <atomic>
#include <cstdlib>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "observe/printable.hpp"

namespace sluice::observe {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info", "warn", "error", "off"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

struct Logger {
  std::shared_ptr<spdlog::logger> sink = spdlog::stderr_color_mt(
      "sluice", colours_refused() ? spdlog::color_mode::never : spdlog::color_mode::automatic);
  std::atomic<LogConfig::Format> format = LogConfig::Format::text;  ///< Set by one thread, read by all.

  Logger() { configure({}); }
  void configure(LogConfig config) {
    format = config.format;
    sink->set_level(to_spdlog(config.level));
    sink->set_pattern(config.format == LogConfig::Format::json ? "%v" : "%H:%M:%S.%e %^%-5l%$ %v");
    sink->flush_on(spdlog::level::trace);
  }
};

Logger& logger() {
  static Logger instance;
  return instance;
}

/// What stands between the quotes of a JSON string.
std::string json_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return printable(out);
}

std::string json_member(const LogField& field) {
  if (const auto* const number = std::get_if<std::int64_t>(&field.value))
    return fmt::format(R"(,"{}":{})", field.key, *number);
  return fmt::format(R"(,"{}":"{}")", field.key, json_text(std::get<std::string_view>(field.value)));
}

/// Texts that would not read as one word stand in quotes.
std::string text_member(const LogField& field) {
  if (const auto* const number = std::get_if<std::int64_t>(&field.value))
    return fmt::format(" {}={}", field.key, *number);
  const auto text = std::get<std::string_view>(field.value);
  const bool plain = !text.empty() && text.find_first_of(" \"\\=") == std::string_view::npos;
  return plain ? fmt::format(" {}={}", field.key, printable(text))
               : fmt::format(R"( {}="{}")", field.key, json_text(text));
}

}  // namespace

bool colours_refused() {
  const char* variable = std::getenv("NO_COLOR");
  return variable != nullptr && *variable != '\0';
}

void configure_log(LogConfig config) {
  logger().configure(config);
}

ParsedLevel parse_log_level(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return {.level = static_cast<LogLevel>(i), .known = true};
  }
  return {.level = LogLevel::off, .known = false};
}

bool log_enabled(LogLevel level) {
  return logger().sink->should_log(to_spdlog(level));
}

void log(LogLevel level, std::string_view room, std::string_view message) {
  log(level, room, message, std::initializer_list<LogField>{});
}

void log(LogLevel level, std::string_view room, std::string_view message,
         std::initializer_list<LogField> fields) {
  Logger& out = logger();
  if (!log_enabled(level)) return;
  const bool json = out.format == LogConfig::Format::json;
  std::string values;
  for (const LogField& field : fields) values += json ? json_member(field) : text_member(field);
  if (json) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    out.sink->log(to_spdlog(level), R"({{"log":"{}","room":"{}","time_ms":{},"message":"{}"{}}})",
                  kNames[static_cast<std::size_t>(level)], room,
                  std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), json_text(message),
                  values);
  } else {
    out.sink->log(to_spdlog(level), "{}: {}{}", room, printable(message), values);
  }
}

}  // namespace sluice::observe
