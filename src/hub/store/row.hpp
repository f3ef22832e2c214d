#pragma once

#include <cstdint>

#include "hub/store/message.hpp"

/// How our values lie in SQLite's, whose integers have a sign.
namespace sluice::hub::store {

/// What is larger than SQLite's largest is taken for that: no message lies there.
[[nodiscard]] inline std::int64_t as_integer(std::uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(value);
}
[[nodiscard]] inline std::int64_t as_integer(Conversation::Kind kind) {
  return static_cast<std::int64_t>(kind);
}
[[nodiscard]] inline Position as_position(std::int64_t epoch, std::int64_t offset) {
  return {.epoch = static_cast<std::uint64_t>(epoch), .offset = static_cast<std::uint64_t>(offset)};
}

/// `message.flags`.
inline constexpr std::int64_t kCriticalFlag = 1;
inline constexpr std::int64_t kTextFlag = 2;

}  // namespace sluice::hub::store
