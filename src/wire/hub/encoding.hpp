#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::wire::hub {

/// How envelopes are written on a connection: the subprotocols `sluice.v1.proto` and `sluice.v1.json`.
enum class Encoding : std::uint8_t { proto, json };
inline constexpr std::size_t kEncodings = 2;
inline constexpr std::string_view kProtoSubprotocol = "sluice.v1.proto";
inline constexpr std::string_view kJsonSubprotocol = "sluice.v1.json";

}  // namespace sluice::wire::hub
