#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <boost/json/object.hpp>

#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"

namespace sluice::cli {

/// Tells whoever started the command what happens: a person (sentences, one status line that is redrawn) or a
/// program (`--json`: one object a line, `{"event": NAME, ...}`).
///
/// What a person reads goes to stderr when stdout carries data (`--stdio`), else to stdout. Colours and the
/// status line are used only on a terminal, colours not when NO_COLOR is set (no-color.org). Text that may
/// come from outside is cleaned of control characters.
///
/// A reader that stops reading does not stop the job, whose shard this runs on: how it goes is told only when
/// there is room; whatever else happens waits a second for room, and not even that once a second was not
/// enough. What is dropped is counted, and the next `stats` line says how much it was.
class Reporter {
 public:
  enum class Format : std::uint8_t { text, json };
  struct Config {
    Format format = Format::text;
    int out = STDOUT_FILENO;
    int err = STDERR_FILENO;
  };

  explicit Reporter(Config config);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  /// One thing that happened. `sentence` is what a person reads; empty: nothing.
  void event(std::string_view name, boost::json::object fields, std::string_view sentence);
  /// The same with several lines for a person.
  void event(std::string_view name, boost::json::object fields,
             std::initializer_list<std::string_view> lines);
  void event(std::string_view name, boost::json::object fields, std::span<const std::string_view> lines);

  /// How it goes, for as long as it goes: an event for a program, one line that replaces itself for a person
  /// at a terminal, nothing for a person who reads a file. Of the lines, longest first, the first that fits
  /// the terminal is shown; the last one is cut where it does not.
  void status(boost::json::object fields, std::initializer_list<std::string_view> lines);

  /// What went wrong and what to do next; returns the exit code that goes with it.
  ExitCode error(Stage stage, const Error& error);

  [[nodiscard]] bool is_json() const { return format_ == Format::json; }

  /// Takes the status line away; before an end of the process that runs no destructor.
  void clear_status();

 private:
  void line(std::string_view text);
  void deliver(std::string_view text);
  void stats(boost::json::object fields);
  void warn_of_drops();

  Format format_;
  Output out_;
  Output err_;
  bool terminal_;
  bool status_shown_ = false;
  bool stuck_ = false;                ///< Nothing has gone out since the last one that waited in vain.
  bool warned_ = false;               ///< That events were dropped, in the log.
  std::uint64_t dropped_stats_ = 0;   ///< Since the last `stats` that went out.
  std::uint64_t dropped_events_ = 0;  ///< The same, of all others.
};

/// Those of a text of our own making, such as the problems of a file. What may come from outside stays one
/// line, whatever it holds.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);

/// Figures as a person reads them: `1.5 MiB`, `12.3 MB/s`, `1.2 ms`.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
[[nodiscard]] std::string human_rate(double bytes_per_second);
[[nodiscard]] std::string human_duration(std::chrono::nanoseconds duration);

}  // namespace sluice::cli
