#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/tunnel_limits.hpp"
#include "flow/pool.hpp"

namespace sluice::flow {

/// The bookkeeping of 4,096 early packets, more than a lossy path makes of what SCTP has on its way. Each
/// session has it for itself, within what is set aside for it, however little the others have left.
inline constexpr Bytes kOwnOverhead = limits::kEarlyPacketMemory * 4096;
static_assert(kOwnOverhead <= limits::kSessionMemory / 8);

/// The figures are for all windows of one session together.
struct SessionBudgetOptions {
  Bytes windows = limits::kSessionWindows;  ///< Everything that is promised.
  Bytes growth = limits::kSessionGrowth;    ///< Of it, at most this much above the first windows.
  /// What all sessions of the process share; without one only the figures above count.
  std::shared_ptr<Pool> memory{};
};

struct SessionBudgetStats {
  Bytes promised;  ///< The sum of all windows now.
  Bytes growth;    ///< Of it, what is above the first windows.
  Bytes peak;      ///< The largest sum so far.
  std::size_t windows = 0;
  std::uint64_t refused = 0;     ///< Sockets that found no first window.
  std::uint64_t lent_short = 0;  ///< Times that a window grew less than it asked for.
  Bytes memory;                  ///< Charged to the process's memory for this session.
};

/// The session-wide cap on what all receive windows of a peer promise together. A strict promise, not an
/// over-commit: whatever the peer sends within its windows, no more than `windows` bytes are ever held for
/// it.
///
/// First windows are small and fixed (HELLO names one figure for all sockets), so a socket either has its
/// first window or is refused. Growth is lent from a smaller pool, and no window may hold more of it than is
/// left for others (the dynamic threshold of shared-buffer switches, Choudhury and Hahne 1998): n sockets
/// that want all get 1/(n+1) of the pool each, and a newcomer always finds something. One that holds more
/// than twice what is left gives the surplus back as it goes on.
///
/// All of it, and what streams cost beside their windows, is also charged to the memory of the process before
/// it is promised: at its limit no socket finds a first window and no window grows. Owned by the session;
/// outlives its windows.
/// One thread.
class SessionBudget {
 public:
  explicit SessionBudget(SessionBudgetOptions options = {});
  SessionBudget(const SessionBudget&) = delete;
  SessionBudget& operator=(const SessionBudget&) = delete;

  /// Takes a first window. Error: `limit_exceeded`; the socket is refused then.
  [[nodiscard]] Status reserve(Bytes first);

  struct Growth {
    Bytes held;    ///< What the window has above its first one already.
    Bytes wanted;  ///< How much more it asks for.
  };
  /// Lends some of what is wanted, all, or nothing; returns how much.
  [[nodiscard]] Bytes grow(Growth ask);
  /// How much of `held` a window should give back, so that others may grow; nothing while there is enough.
  [[nodiscard]] Bytes surplus(Bytes held) const;

  void give_back_growth(Bytes growth);  ///< Part of a window's growth, or all when its socket has ended.
  void give_back_first(Bytes first);    ///< When its socket has ended.

  /// Charges what is kept beside the windows: the bookkeeping of packets that wait for earlier ones, as far
  /// as it exceeds `kOwnOverhead`. Error: `limit_exceeded`, and the charge stays as it was.
  [[nodiscard]] Status set_overhead(Bytes overhead);

  [[nodiscard]] SessionBudgetStats stats() const;

 private:
  [[nodiscard]] Bytes free_growth() const;
  void promise(Bytes more);

  SessionBudgetOptions options_;
  SessionBudgetStats stats_;
  Pool::Share memory_;
  Bytes overhead_;  // charged to `memory_`
};

}  // namespace sluice::flow
