#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>

#include "core/time.hpp"
#include "core/tunnel_limits.hpp"
#include "transport/dialing/address.hpp"

namespace sluice::dialing {

using AttemptId = std::uint64_t;

struct RaceOptions {
  Duration attempt_delay = limits::kAttemptDelay;
  Duration resolution_delay = limits::kResolutionDelay;
  Duration patience = limits::kAttemptPatience;
  std::size_t at_once = limits::kAttemptsAtOnce;
  std::size_t addresses = limits::kMaxAddresses;
};

/// Decides which address of a host is tried when (RFC 8305, "Happy Eyeballs").
///
/// Families alternate, IPv6 first. The next address is tried when an attempt fails, or 250 ms after the last
/// one began; earlier attempts go on, and the first that connects wins. IPv4 alone waits 50 ms for the IPv6
/// half of the look-up. Bounded: `addresses` a family, `at_once` attempts; beyond these, and where the caller
/// has room for no more, the oldest attempt gives way once it has had `patience`, so that any number of dead
/// addresses only delays the good one.
/// Sans-I/O, one thread.
class Race {
 public:
  explicit Race(RaceOptions options = {}) : options_(options) {}

  /// One family's look-up has ended; with no address when it found none. Once for each family.
  void found(Family family, std::span<const Address> addresses, TimePoint now);

  /// What the caller can afford: a place for its first attempt is its own, others are shared.
  enum class Room : std::uint8_t { first_only, more };
  struct Step {
    AttemptId id;
    Address address;
    std::optional<AttemptId> gives_way{};  ///< The attempt that is to be cancelled; this one has its place.
  };
  /// The attempt that is to begin now, if one is due. Ask again until there is none.
  [[nodiscard]] std::optional<Step> next(TimePoint now, Room room);
  void failed(AttemptId id);

  /// When `next` may have something, as far as time decides.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  [[nodiscard]] bool in_flight() const { return !attempts_.empty(); }
  /// Both look-ups have ended, and every address has failed.
  [[nodiscard]] bool lost() const;
  /// Whether that family's look-up has ended.
  [[nodiscard]] bool resolved(Family family) const { return half(family).resolved; }

 private:
  struct Half {
    bool resolved = false;
    TimePoint resolved_at;
    std::deque<Address> untried;
  };
  [[nodiscard]] Half& half(Family family) { return halves_.at(static_cast<std::size_t>(family)); }
  [[nodiscard]] const Half& half(Family family) const { return halves_.at(static_cast<std::size_t>(family)); }
  [[nodiscard]] Family next_family() const;
  [[nodiscard]] bool full() const { return attempts_.size() >= options_.at_once; }

  RaceOptions options_;
  std::array<Half, 2> halves_;
  std::map<AttemptId, TimePoint> attempts_;  // in flight, with their beginnings
  AttemptId last_id_ = 0;
  std::optional<Family> last_family_;
  TimePoint last_start_;
  bool hurry_ = false;  // one failed since the last start
};

}  // namespace sluice::dialing
