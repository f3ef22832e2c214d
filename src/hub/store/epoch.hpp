#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/hub_limits.hpp"
#include "hub/store/message.hpp"

/// What the openings of stores are numbered with.
namespace sluice::hub::store {

/// What an opening's epoch is made from.
struct EpochSource {
  std::uint64_t last = 0;    ///< The greatest that the store has had; 0: it is new.
  UnixMs now = 0;            ///< The wall clock's.
  std::uint64_t random = 0;  ///< Uniform; only the low bits are used.
};

/// Greater than every epoch that this store has had, and another one than any other store's or copy's: the
/// time in units of 16 ms, then 15 random bits; where the clock was set back, so many further than the last
/// as the random bits say. So a client tells the history that it knows from one that merely has the same
/// length. Below 2^53 until the year 2109, so that a JSON reader that keeps numbers as doubles gives back the
/// epoch that it was told. At most `limits::kMaxPosition`, whatever the clock says.
[[nodiscard]] constexpr std::uint64_t next_epoch(EpochSource from) {
  constexpr unsigned kTickBits = 4;  // of milliseconds
  constexpr unsigned kRandomBits = 15;
  const std::uint64_t random = from.random & ((1U << kRandomBits) - 1);
  const std::uint64_t next = from.last + 1 + random;
  if (from.now < 0 || static_cast<std::uint64_t>(from.now) >= (limits::kMaxPosition >> kRandomBits))
    return next;
  const std::uint64_t by_time = (static_cast<std::uint64_t>(from.now) >> kTickBits) << kRandomBits | random;
  return by_time > from.last ? by_time : next;
}

/// Which epochs a store has had. Immutable while it is open; any thread.
class KnownEpochs {
 public:
  /// `openings` in order. All up to `assumed` count as known: they were not written down, or are forgotten.
  KnownEpochs(std::vector<std::uint64_t> openings, std::uint64_t assumed)
      : openings_(std::move(openings)), assumed_(assumed) {}
  [[nodiscard]] bool contains(std::uint64_t epoch) const {
    return (epoch != 0 && epoch <= assumed_) || std::ranges::binary_search(openings_, epoch);
  }
  [[nodiscard]] std::uint64_t present() const { return openings_.back(); }

 private:
  std::vector<std::uint64_t> openings_;  ///< Not empty.
  std::uint64_t assumed_;
};

}  // namespace sluice::hub::store
