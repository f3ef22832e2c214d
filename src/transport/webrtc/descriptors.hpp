#pragma once

#include <cstddef>

#include "core/error.hpp"
#include "transport/webrtc/options.hpp"

namespace sluice::webrtc {

/// How many descriptors one connection takes at most, as far as can be told beforehand: a socket for each
/// local address and TURN server, and those of the ICE library's own.
[[nodiscard]] std::size_t descriptors_for(const Options& options);

/// Whether this process may open so many descriptors more, found out by opening them. GLib aborts the process
/// when it cannot make an eventfd (`g_wakeup_new`), so it is not asked to where this fails. Error:
/// `limit_exceeded`.
[[nodiscard]] Status check_descriptors(std::size_t count);

}  // namespace sluice::webrtc
