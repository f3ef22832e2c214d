#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

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

/// Offsets of one conversation, both included.
struct Stretch {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const Stretch&) const = default;
};

/// As logs and the admin API name it: `SHARD-NUMBER`.
[[nodiscard]] inline std::string connection_id(ConnectionRef ref) {
  return std::to_string(ref.shard).append(1, '-').append(std::to_string(ref.id));
}

/// The same time on both clocks: for waits, and for people.
struct Moment {
  TimePoint at;
  wire::hub::UnixMs wall = 0;
};

/// A wait as envelopes carry it: whole milliseconds, never sooner than it is over.
[[nodiscard]] inline std::uint32_t in_ms(Duration duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
}

}  // namespace sluice::hub
