#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "flow/session_budget.hpp"

/// Credit: what the far consumer has promised to take, per stream and direction, given back when bytes have
/// been *consumed* (written to the TCP socket), not when they arrived. This is what keeps one stalled socket
/// from holding up the rest. docs/wire/tunnel.md says how it looks on the wire, docs/flow.md how it is sized.
namespace sluice::flow {

struct SendWindowStats {
  Bytes spent;                  ///< All told.
  std::uint64_t updates = 0;    ///< Announcements that raised the limit.
  std::uint64_t stale = 0;      ///< Announcements that an earlier one had overtaken.
  std::uint64_t times_out = 0;  ///< How often all credit was spent.
  Duration time_out{};          ///< All times together, the one that still lasts included.
};

/// The sending side: how much may be sent now.
///
/// Sans-I/O, one thread. Invariant: spent <= announced total + first window.
class SendWindow {
 public:
  /// `first`: what the peer's HELLO says.
  explicit SendWindow(Bytes first) : first_(first) {}

  /// May be sent now. A sender that has any credit sends; it never waits for more, so no window is too small.
  [[nodiscard]] Bytes available() const { return first_ + total_ - stats_.spent; }
  /// Requires `sent` <= `available()`.
  void spend(Bytes sent, TimePoint now);

  /// The peer announced a total. Announcements overtake each other in an unordered channel: a smaller one
  /// than before is stale and changes nothing. Error: `protocol_violation` when it promises more than
  /// `limits::kMaxWindow` at once.
  [[nodiscard]] Status on_window(std::uint64_t total, TimePoint now);

  [[nodiscard]] SendWindowStats stats(TimePoint now) const;

 private:
  Bytes first_;
  Bytes total_;
  std::optional<TimePoint> out_since_;
  SendWindowStats stats_;
};

struct ReceiveWindowOptions {
  Bytes first = limits::kFirstWindow;  ///< What our HELLO says.
  Bytes largest = limits::kMaxStreamWindow;
};

struct ReceiveWindowStats {
  Bytes received;
  Bytes consumed;
  Bytes window;     ///< Now.
  Bytes peak_held;  ///< Most bytes that were received and not consumed.
  std::uint64_t updates = 0;
  std::uint64_t grown = 0;
  std::uint64_t shrunk = 0;
};

/// The receiving side: holds the peer to its window, says when to announce more, and sizes the window.
///
/// An update is due when a quarter of the window has been consumed since the last one: a sender has three
/// quarters left while it travels, and a window costs four small packets at the most. No window can deadlock:
/// once a sender has spent all, everything ends up consumed, and that is more than a quarter.
///
/// Growth: when half of the window was consumed within one round trip (all of it within two), the window and
/// not the consumer may be the bottleneck: it grows, fourfold below 256 KiB and twofold above, up to
/// `largest` and as far as the session's budget lends. So a window settles at between two and four times
/// bandwidth x round trip of the *slower* of network and consumer, and a stalled socket's stays as it was.
/// The wire carries one figure, a total that only grows: total = consumed so far + growth, and the sender may
/// have sent total + first window.
///
/// Sans-I/O, one thread; its destruction gives the budget back. Invariants: total never falls;
/// received <= total + first; consumed <= received.
class ReceiveWindow {
 public:
  /// Takes the first window from the budget. Error: `limit_exceeded`, the socket is refused.
  [[nodiscard]] static Result<ReceiveWindow> open(SessionBudget& budget, ReceiveWindowOptions options,
                                                  TimePoint now);
  ReceiveWindow(ReceiveWindow&& other) noexcept;
  ReceiveWindow& operator=(ReceiveWindow&&) = delete;
  ~ReceiveWindow();

  /// Payload came in; duplicates are not counted. Error: `protocol_violation` when the peer had no credit for
  /// it.
  [[nodiscard]] Status receive(Bytes payload, TimePoint now);
  /// Payload left for good. Requires that it was received. Returns `update_due()`.
  bool consume(Bytes payload);
  [[nodiscard]] bool update_due() const;

  /// The total to announce; decides about growth on the way. `round_trip`: the link's, absent until measured.
  [[nodiscard]] std::uint64_t update(TimePoint now, std::optional<Duration> round_trip);

  [[nodiscard]] Bytes window() const { return options_.first + growth_; }
  [[nodiscard]] Bytes held() const { return stats_.received - stats_.consumed; }
  [[nodiscard]] ReceiveWindowStats stats() const;

 private:
  ReceiveWindow(SessionBudget& budget, ReceiveWindowOptions options, TimePoint now);
  void resize(TimePoint now, Bytes consumed_since);

  SessionBudget* budget_;  // null when moved from
  ReceiveWindowOptions options_;
  Bytes growth_;
  Bytes announced_total_;
  Bytes announced_consumed_;  // consumed at the last announcement
  // An epoch lasts until half of the window has been consumed; how long that took decides about growth.
  TimePoint epoch_start_;
  Bytes epoch_consumed_;
  TimePoint last_receive_;
  Duration round_trip_ = limits::kAssumedRoundTrip;
  ReceiveWindowStats stats_;
};

}  // namespace sluice::flow
