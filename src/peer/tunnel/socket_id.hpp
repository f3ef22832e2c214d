#pragma once

#include <concepts>
#include <cstdint>

#include "core/bytes.hpp"
#include "wire/tunnel/ids.hpp"

namespace sluice::tunnel {

/// What tells a client's sockets apart: both addresses and ports of a TCP connection, as bytes. Ids made from
/// it are spread evenly and need not be secret: the channel is the peer's alone.
[[nodiscard]] std::uint32_t socket_hash(ByteView four_tuple);

/// The first id at or after `hash` that nobody has; never 0, which is the session's own. Requires that one is
/// free.
template <std::predicate<wire::SocketId> Taken>
[[nodiscard]] wire::SocketId probe_id(std::uint32_t hash, Taken&& taken) {
  wire::SocketId id{hash};
  while (id == wire::kSession || taken(id)) ++id.value;
  return id;
}

}  // namespace sluice::tunnel
