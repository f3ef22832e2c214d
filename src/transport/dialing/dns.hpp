#pragma once

#include <optional>
#include <string_view>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::dialing {

/// For how long a DNS message's answers hold: the shortest time to live among them (RFC 1035 §4.1.3, with the
/// sign bit read as zero, RFC 2181 §8). Nothing when it has no answer, or does not decode.
[[nodiscard]] std::optional<Duration> life_of_answers(ByteView message);

/// Whether a hosts file (hosts(5)) names this host. Case does not matter.
[[nodiscard]] bool names_host(std::string_view hosts_file, std::string_view host);

}  // namespace sluice::dialing
