#include "flow/watermark.hpp"

#include <algorithm>
#include <string>

#include "core/ensure.hpp"

namespace sluice::flow {

Result<Watermarks> Watermarks::make(Watermarks asked) {
  if (asked.low < asked.high) return asked;
  return fail(Errc::invalid_argument, "the low water mark (" + std::to_string(asked.low.count()) +
                                          " bytes) must be below the high one (" +
                                          std::to_string(asked.high.count()) + " bytes)");
}

Watermark::Watermark(Watermarks marks) : marks_(marks) {
  ENSURE(marks.low < marks.high);
}

Edge Watermark::add(Bytes queued, TimePoint now) {
  return set(stats_.now + queued, now);
}

Edge Watermark::drain(Bytes sent, TimePoint now) {
  ENSURE(sent <= stats_.now);
  return set(stats_.now - sent, now);
}

Edge Watermark::set(Bytes held, TimePoint now) {
  stats_.now = held;
  stats_.peak = std::max(stats_.peak, held);
  if (open_ && held >= marks_.high) {
    open_ = false;
    closed_at_ = now;
    ++stats_.times_closed;
    return Edge::closed;
  }
  if (!open_ && held <= marks_.low) {
    open_ = true;
    stats_.time_closed += now - closed_at_;
    return Edge::opened;
  }
  return Edge::none;
}

WatermarkStats Watermark::stats(TimePoint now) const {
  WatermarkStats all = stats_;
  if (!open_) all.time_closed += now - closed_at_;
  return all;
}

}  // namespace sluice::flow
