#pragma once

#include <compare>
#include <cstdint>

#include "core/time.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// A shard of the hub, from 0.
using ShardId = std::uint16_t;

/// A connection, and the shard that it lives on. Never used twice.
struct ConnectionRef {
  ShardId shard = 0;
  std::uint64_t id = 0;
  auto operator<=>(const ConnectionRef&) const = default;
};

/// The same time on both clocks: for waits, and for people.
struct Moment {
  TimePoint at;
  wire::hub::UnixMs wall = 0;
};

}  // namespace sluice::hub
