#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/time.hpp"

namespace sluice::observe {

/// Which of many lines of one kind the log gets: one in each pause, with how many there were since the last.
///
/// Pure. Bounded: beyond `most` kinds the one that was said longest ago is forgotten.
class LogPace {
 public:
  LogPace(Duration pause, std::size_t most) : pause_(pause), most_(most) {}

  /// Something of that kind has happened. Returns how often it has since it was said last, this time
  /// included, when it is to be said now.
  [[nodiscard]] std::optional<std::uint64_t> note(const std::string& kind, TimePoint now);

  [[nodiscard]] std::size_t kinds() const { return said_.size(); }

 private:
  struct Said {
    TimePoint at;
    std::uint64_t since = 0;
  };
  Duration pause_;
  std::size_t most_;
  std::unordered_map<std::string, Said> said_;
  std::deque<std::string> order_;  ///< Of the last time that each was said or met first; the oldest first.
};

}  // namespace sluice::observe
