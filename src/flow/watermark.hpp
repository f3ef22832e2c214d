#pragma once

#include <cstdint>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"

namespace sluice::flow {

/// Where writers stop (`high`) and where they go on again (`low`).
struct Watermarks {
  Bytes low = limits::kLowWaterMark;
  Bytes high = limits::kHighWaterMark;

  /// What a user asked for, once it makes sense. Error: `invalid_argument` unless low < high.
  [[nodiscard]] static Result<Watermarks> make(Watermarks asked);
};

/// What a change did to a water mark.
enum class Edge : std::uint8_t { none, closed, opened };

struct WatermarkStats {
  std::uint64_t times_closed = 0;
  Duration time_closed{};  ///< All times together, the one that still lasts included.
  Bytes now;
  Bytes peak;
};

/// Counts the bytes that a link holds and says when its writers must stop.
///
/// Sans-I/O, one thread. Hysteresis: closes at `high`, opens again at `low`, so that writers do not flap.
/// Invariant: low < high, and `is_open` changes only together with a returned edge.
/// Soft limit: overshoot is at most one message per writer that had already passed.
class Watermark {
 public:
  explicit Watermark(Watermarks marks = {});  ///< Requires low < high: see `Watermarks::make`.

  Edge add(Bytes queued, TimePoint now);  ///< `Edge::closed` when this addition reached the high mark.
  Edge drain(Bytes sent, TimePoint now);  ///< `Edge::opened` when this left no more than the low mark.
  /// For links that report an absolute amount (`Link::buffered_amount`).
  Edge set(Bytes held, TimePoint now);

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] Bytes held() const { return stats_.now; }
  [[nodiscard]] const Watermarks& marks() const { return marks_; }
  [[nodiscard]] WatermarkStats stats(TimePoint now) const;

 private:
  Watermarks marks_;
  bool open_ = true;
  TimePoint closed_at_;
  WatermarkStats stats_;
};

}  // namespace sluice::flow
