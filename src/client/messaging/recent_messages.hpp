#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "wire/hub/message.hpp"

namespace sluice::messaging {

/// Tells a message that comes a second time under another number.
///
/// A hub hands a message on before it is on its disk. One that is killed in between does not know it any
/// more, and when its sender repeats it, as it must, it is a new one there. Its receivers know better. Pure.
/// Bounded by `limits::kClientRecent`; what is older than `limits::kDedupAge` counts as new, as at the hub.
class RecentMessages {
 public:
  /// True: it came before, in an earlier epoch. False: it is known from now on.
  [[nodiscard]] bool is_repeated(const wire::hub::Delivery& delivery, TimePoint now);
  [[nodiscard]] std::size_t size() const { return order_.size(); }

 private:
  struct Known {
    std::uint64_t epoch;
    TimePoint at;
  };
  std::unordered_map<std::string, Known> known_;
  std::deque<std::string> order_;
};

}  // namespace sluice::messaging
