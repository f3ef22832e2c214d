#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/time.hpp"

namespace sluice::hub {

/// A uniform choice from 0 up to but not including `bound`, which is at least 1.
using Random = std::function<std::uint32_t(std::uint32_t bound)>;

using MailboxNumber = std::uint32_t;

/// Why a number is no longer in use: what a late visitor is told.
enum class NumberEnd : std::uint8_t { gone, burnt, expired };

/// Gives out the numbers of mailboxes: short ones, chosen at random among those of the fewest digits that
/// leave half of them free, and none that was in use lately.
///
/// Sans-I/O. Bounded by its caller's limit of mailboxes and by `max_resting`: beyond it the oldest is free
/// early.
class MailboxNumbers {
 public:
  struct Rest {
    Duration time;  ///< How long a returned number is not given out again.
    std::size_t max_resting;
  };
  MailboxNumbers(Rest rest, Random random) : rest_(rest), random_(std::move(random)) {}

  [[nodiscard]] MailboxNumber take(TimePoint now);
  void give_back(MailboxNumber number, NumberEnd end, TimePoint now);

  /// How a number's use ended, while it rests.
  [[nodiscard]] std::optional<NumberEnd> ended(MailboxNumber number) const;

  [[nodiscard]] std::size_t in_use() const { return used_.size(); }
  [[nodiscard]] std::size_t resting() const { return resting_.size(); }

 private:
  [[nodiscard]] bool is_free(MailboxNumber number) const;
  void wake(TimePoint now);

  struct Rested {
    MailboxNumber number;
    TimePoint until;
  };
  Rest rest_;
  Random random_;
  std::unordered_set<MailboxNumber> used_;
  std::unordered_map<MailboxNumber, NumberEnd> resting_;
  std::deque<Rested> queue_;  ///< `resting_`, the oldest first.
};

}  // namespace sluice::hub
