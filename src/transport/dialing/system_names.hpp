#pragma once

#include <functional>
#include <optional>

#include "core/time.hpp"
#include "transport/dialing/address.hpp"

namespace sluice::dialing {

/// How names are looked up. Both block, for as long as the system lets a name server be silent, and are
/// called from any thread.
struct NameSource {
  std::function<Answer(const Question&)> look_up;
  /// For how long addresses that were found just now are good; nothing when nobody says so.
  std::function<std::optional<Duration>(const Question&)> life_of;
};

/// As the system does it: nsswitch.conf(5), /etc/hosts, search domains and all, by getaddrinfo(3). That tells
/// no times to live, so DNS is asked for them afterwards, out of the way of whoever waits for the addresses.
[[nodiscard]] NameSource system_names();

}  // namespace sluice::dialing
