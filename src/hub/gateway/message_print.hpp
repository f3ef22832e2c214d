#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "crypto/short_hash.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// What the hub keeps of a message to know a second copy: a hash of its conversation, sender and id, and one
/// of its sender alone. Both are under the hub's own key, so nobody outside can find two that are the same.
struct MessagePrint {
  crypto::ShortHash message{};
  std::uint64_t sender = 0;
  bool operator==(const MessagePrint&) const = default;
};

/// A message of an earlier run, as a store remembers it.
struct RememberedMessage {
  MessagePrint print{};
  wire::hub::Position position{};
  Duration age{};  ///< When that run ended.
};

}  // namespace sluice::hub
