#include "hub/store/message.hpp"

namespace sluice::hub::store {

std::uint64_t Books::removed_for(Removal why) const {
  std::uint64_t sum = 0;
  for (const auto& kind : removed) sum += kind.at(static_cast<std::size_t>(why));
  return sum;
}

bool Books::balanced() const {
  std::uint64_t gone = 0;
  for (const auto& kind : removed) {
    for (const std::uint64_t count : kind) gone += count;
  }
  return appended == committed + failed + waiting && rows_at_open + committed == rows + gone;
}

}  // namespace sluice::hub::store
