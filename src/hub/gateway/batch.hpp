#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/frames.hpp"
#include "flow/charge.hpp"
#include "flow/outbox.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::hub {

/// Consecutive messages of one conversation on their way to its receivers: made once, by the conversation's
/// home, and shared by all shards.
struct Batch {
  std::uint64_t epoch = 0;  ///< Of all of them.
  std::uint64_t first = 0;  ///< The first one's offset.
  std::uint32_t count = 0;
  flow::Urgency urgency = flow::Urgency::normal;
  flow::DropPolicy policy = flow::DropPolicy::newest;
  std::string key{};
  TimePoint begun{};  ///< When the first of them was accepted; none: of a replay, which nobody measures.
  std::array<SharedFrames, wire::hub::kEncodings> frames{};  ///< Null where nobody speaks it.
  flow::Charge memory{};
  std::vector<flow::Charge> backlog{};  ///< Of each sender.

  [[nodiscard]] std::uint64_t last() const { return first + count - 1; }
  [[nodiscard]] Bytes size_in(wire::hub::Encoding encoding) const {
    return sluice::size_of(in(encoding)->bytes());
  }
  [[nodiscard]] const SharedFrames& in(wire::hub::Encoding encoding) const {
    return frames[static_cast<std::size_t>(encoding)];
  }
};

using SharedBatch = std::shared_ptr<const Batch>;

}  // namespace sluice::hub
