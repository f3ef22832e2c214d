#pragma once

#include <cstdint>

/// For the room itself.
namespace sluice::websocket {

/// What has come over a TCP connection so far (TCP_INFO, tcp(7)); 0 where the system does not say.
[[nodiscard]] std::uint64_t received_bytes(int descriptor);

}  // namespace sluice::websocket
