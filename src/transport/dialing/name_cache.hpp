#pragma once

#include <cstddef>
#include <map>

#include "core/time.hpp"
#include "core/tunnel_limits.hpp"
#include "transport/dialing/address.hpp"

namespace sluice::dialing {

/// Answers that are still good.
///
/// Sans-I/O, one thread. Bounded by `most` answers: the one that goes stale first gives way.
class NameCache {
 public:
  explicit NameCache(std::size_t most = limits::kCachedNames) : most_(most) {}

  /// Null when it is not known, or no longer. The pointer lives until the next call.
  [[nodiscard]] const Answer* find(const Question& question, TimePoint now);
  /// Keeps an answer for `life` from now on; zero: not at all.
  void keep(const Question& question, Answer answer, Duration life, TimePoint now);
  /// The answer that was kept turns out to be good for `life`, counted from when it was kept.
  void correct(const Question& question, Duration life, TimePoint now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Answer answer;
    TimePoint kept;
    TimePoint stale;
  };
  void make_room();

  std::size_t most_;
  std::map<Question, Entry> entries_;
};

}  // namespace sluice::dialing
