#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::wire::hub {

/// How envelopes are written on a connection: the subprotocols `sluice.v1.proto` and `sluice.v1.json`.
enum class Encoding : std::uint8_t { proto, json };
inline constexpr std::size_t kEncodings = 2;

}  // namespace sluice::wire::hub
