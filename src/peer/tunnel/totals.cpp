#include "peer/tunnel/totals.hpp"

#include <numeric>

namespace sluice::tunnel {

std::string_view name_of(Ignored why) {
  switch (why) {
    case Ignored::unknown_socket:
      return "unknown_socket";
    case Ignored::closed_socket:
      return "closed_socket";
    case Ignored::duplicate:
      return "duplicate";
    case Ignored::stale_window:
      return "stale_window";
    case Ignored::never_opened:
      return "never_opened";
    case Ignored::after_end:
      return "after_end";
  }
  return "unknown";
}

std::uint64_t CloseCounts::all() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

}  // namespace sluice::tunnel
