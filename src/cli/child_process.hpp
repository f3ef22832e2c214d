#pragma once

#include <chrono>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace sluice::cli {

class Interrupts;

/// A program that `sluice demo` runs beside itself, with its standard output on a pipe.
///
/// Whoever holds it ends it: the destructor kills and reaps what still runs, and the kernel kills it when
/// this process dies first (PR_SET_PDEATHSIG).
class ChildProcess {
 public:
  /// How long to wait for one, and what to do meanwhile.
  struct Waiting {
    std::chrono::milliseconds patience;
    /// Other ones, whose output is read and thrown away: a process that writes into a full pipe stands still.
    std::span<ChildProcess* const> drained{};
    const Interrupts* interrupts = nullptr;  ///< End the wait: `cancelled`.
  };

  /// What it cost: user and system time, and the largest resident set.
  struct Usage {
    std::chrono::microseconds cpu{};
    Bytes peak_rss;
    int exit_status = 0;  ///< As a shell has it: 128 + N when signal N ended it.
  };

  /// Starts `arguments[0]`, found through PATH. stderr goes where ours goes.
  /// Errors: `not_found` when there is no such program, `io`.
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& arguments);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ~ChildProcess();

  /// The first line that a program prints, once it has ended well; it gets the whole patience for the line
  /// and again for its end. Errors: those of `start` and `read_line`, `io` when it failed.
  [[nodiscard]] static Result<std::string> first_line_of(const std::vector<std::string>& arguments,
                                                         const Waiting& waiting);

  /// The next line of its output, without the line end. `closed` when it ended, `timed_out`; a line longer
  /// than 64 KiB is `limit_exceeded`.
  [[nodiscard]] Result<std::string> read_line(const Waiting& waiting);

  /// Waits for it to end by itself; `timed_out`.
  [[nodiscard]] Result<Usage> wait(const Waiting& waiting);

  /// Asks it to end (SIGINT), waits, then kills it; an interrupt kills it at once.
  Usage stop(const Waiting& waiting);

 private:
  ChildProcess(pid_t pid, int output) : pid_(pid), output_(output) {}

  static Result<bool> readable(int descriptor, std::chrono::milliseconds limit, const Waiting& waiting);
  Status take_output();
  void discard_output();
  void close_output();

  pid_t pid_ = -1;   ///< -1 once reaped.
  int output_ = -1;  ///< -1 once it has ended.
  std::string pending_;
};

}  // namespace sluice::cli
