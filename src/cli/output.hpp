#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace sluice::cli {

/// A descriptor that somebody reads, or has stopped reading: a write waits for room for a bounded time, so
/// that a reader that stops cannot stop this process.
///
/// One thread; SIGPIPE is to be ignored. It asks poll(2) before each piece of at most PIPE_BUF bytes, which a
/// pipe with room takes whole (pipe(7)); the descriptor's mode stays as it is, since other processes share
/// it.
class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}

  /// Whether all of `text` went within that time; not either when nobody can read it any more. When a part
  /// went, the next text begins on a line of its own.
  bool write(std::string_view text, std::chrono::milliseconds patience);

  [[nodiscard]] bool takes_more() const;  ///< Whether a write would not wait now.
  [[nodiscard]] bool is_terminal() const;
  [[nodiscard]] std::size_t columns() const;  ///< Of the terminal; 80 when it does not say.

 private:
  int descriptor_;
  bool torn_ = false;  ///< The last text went in part only.
};

}  // namespace sluice::cli
