#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <sys/types.h>
#include <vector>

#include "core/time.hpp"

namespace sluice::ws_load {

/// User and system time of a process, all its threads, from now on.
class CpuClock {
 public:
  /// Throws std::runtime_error when there is no such process.
  explicit CpuClock(pid_t process);
  [[nodiscard]] double seconds() const;

 private:
  clockid_t clock_{};
  double begin_ = 0;
};

/// How long things took, each of them, to the microsecond.
class Latencies {
 public:
  explicit Latencies(std::size_t expected) { us_.reserve(expected); }
  void record(Duration took) {
    us_.push_back(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  }
  [[nodiscard]] std::size_t count() const { return us_.size(); }
  /// The one below which that part of them (0 to 1) is; 0 without any.
  [[nodiscard]] double percentile_ms(double part);

 private:
  std::vector<std::uint32_t> us_;
};

}  // namespace sluice::ws_load
