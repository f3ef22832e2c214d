#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/time.hpp"

namespace sluice::observe {

/// Which of many lines of one kind the log gets: one in each pause, with how many there were since the last.
///
/// Pure. Bounded in kinds: beyond `most` the one that was said longest ago is forgotten, once its pause is
/// over. Bounded in lines, too: at most `most` in a pause, so that a flood of new kinds does not fill the
/// log.
class LogPace {
 public:
  LogPace(Duration pause, std::size_t most) : pause_(pause), most_(most) {}

  /// Something of that kind has happened. Returns how often it has since it was said last, this time
  /// included, when it is to be said now. Of a kind for which there is no place nothing is said.
  [[nodiscard]] std::optional<std::uint64_t> note(const std::string& kind, TimePoint now);

  /// How often something has happened since this was asked last that no line will tell of: of kinds that had
  /// no place, or that were forgotten. For a line that is written anyway.
  [[nodiscard]] std::uint64_t take_others() { return std::exchange(others_, 0); }

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
  std::uint64_t others_ = 0;
};

}  // namespace sluice::observe
