#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace sluice::observe {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// How log lines look; they always go to stderr, since stdout belongs to results and events. Levels
/// are coloured on a terminal, unless `colours_refused`.
struct LogConfig {
  enum class Format : std::uint8_t { text, json };
  LogLevel level = LogLevel::info;
  Format format = Format::text;
};

/// Whether the user wants no colours anywhere: NO_COLOR is set and not empty (no-color.org).
[[nodiscard]] bool colours_refused();

/// Sets the process-wide log; before the first call it is text at `info`.
void configure_log(LogConfig config);

/// The level of that name (`trace` ... `error`, `off`), or `off` with `known` false.
struct ParsedLevel {
  LogLevel level;
  bool known;
};
[[nodiscard]] ParsedLevel parse_log_level(std::string_view name);

[[nodiscard]] bool log_enabled(LogLevel level);

/// Writes one line. Safe from any thread. `room` names who speaks: "tunnel", "webrtc", ...
/// Control characters are escaped, since a message may carry what a peer sent.
void log(LogLevel level, std::string_view room, std::string_view message);

/// A named value beside the message: a key of its own in JSON, `key=value` behind the message otherwise.
struct LogField {
  std::string_view key;  ///< Of ours: a plain word.
  std::variant<std::string_view, std::int64_t> value;
};
void log(LogLevel level, std::string_view room, std::string_view message,
         std::initializer_list<LogField> fields);

/// As above, for a message that costs something to make: `make` runs only when the level is enabled.
template <std::invocable Make>
void log(LogLevel level, std::string_view room, Make&& make) {
  if (log_enabled(level))
    log(level, room, std::string_view{std::string{std::invoke(std::forward<Make>(make))}});
}

}  // namespace sluice::observe
