#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "flow/watermark.hpp"

namespace sluice::flow {

/// A place in a gate's queue. Never used twice by one gate.
struct Ticket {
  std::uint64_t number = 0;
  auto operator<=>(const Ticket&) const = default;
};

struct GateOptions {
  Watermarks marks;
  Duration stall_limit = limits::kGateStall;  ///< The longest wait.
  std::size_t max_waiters = limits::kGateWaiters;
};

struct GateStats {
  WatermarkStats mark;
  std::uint64_t waits = 0;  ///< Tickets given out, those that never had to wait included.
  std::uint64_t passed = 0;
  std::uint64_t cancelled = 0;  ///< Withdrawn while waiting.
  std::uint64_t stalled = 0;
  std::uint64_t refused = 0;  ///< No ticket given: closed for good, or too many waiters.
  Duration longest_wait{};    ///< Of those that ended.
  std::size_t waiting = 0;
};

/// Lets writers to a link through, first come first served, one at a time, each looking again before it goes:
/// no stampede over the high mark, since the bytes of one are counted before the next is considered.
///
/// Sans-I/O, one thread; `runtime::AsyncGate` is the awaitable around it. Whoever drives it calls `next`
/// after every other call that may have changed something, and lets the ticket that it returns go on.
/// Invariants: at most one ticket is inside; no ticket is let through while the mark is closed; after `close`
/// there is none at all. Bounded by `max_waiters`, and no wait outlasts `stall_limit` when `expire` is called
/// at `next_deadline`.
class Gate {
 public:
  explicit Gate(GateOptions options = {});

  /// What the link holds; see Watermark.
  Edge add(Bytes queued, TimePoint now) { return mark_.add(queued, now); }
  Edge drain(Bytes sent, TimePoint now) { return mark_.drain(sent, now); }
  Edge set(Bytes held, TimePoint now) { return mark_.set(held, now); }
  [[nodiscard]] bool is_open() const { return mark_.is_open() && !closed_; }

  /// Takes a place at the end of the queue. Errors: `limit_exceeded`; after `close` its error.
  [[nodiscard]] Result<Ticket> enter(TimePoint now);

  /// The first waiter, if it may go now; from here on it is inside, and the next one waits for `leave`.
  [[nodiscard]] std::optional<Ticket> next(TimePoint now);

  /// The one inside has written, its bytes are counted (or it changed its mind). Others are ignored: the gate
  /// may have closed meanwhile.
  void leave(Ticket ticket);

  /// Withdraws a waiter, or the one inside. False when the ticket is neither.
  bool cancel(Ticket ticket, TimePoint now);

  /// Withdraws the waiters whose time is up and returns them, oldest first: each is told `stalled`.
  [[nodiscard]] std::vector<Ticket> expire(TimePoint now);
  /// When the oldest wait is up; nothing while nobody waits.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  /// Ends every wait, for good, and returns the waiters in order: each is told the reason. Later calls change
  /// nothing.
  [[nodiscard]] std::vector<Ticket> close(Error reason, TimePoint now);
  /// Why there is no way through any more; null while there is.
  [[nodiscard]] const Error* closed() const { return closed_ ? &*closed_ : nullptr; }
  /// What a waiter that `expire` returned is told.
  [[nodiscard]] Error stall_error() const;

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] GateStats stats(TimePoint now) const;

 private:
  void note_wait(TimePoint since, TimePoint now);

  GateOptions options_;
  Watermark mark_;
  std::map<Ticket, TimePoint> waiting_;  // by arrival: tickets only grow
  std::optional<Ticket> inside_;
  std::uint64_t last_ticket_ = 0;
  std::optional<Error> closed_;
  GateStats stats_;
};

}  // namespace sluice::flow
