#pragma once

#include <cstdint>
#include <vector>

#include "wire/hub/message.hpp"

namespace sluice::hub {

/// What a log lacks between two messages: the offsets from `first` on, up to `before`.
struct Hole {
  std::uint64_t first = 0;
  wire::hub::Position before{};  ///< Of the message behind it.
};

/// A part of a hole that has one reason.
struct HolePart {
  std::uint64_t epoch = 0;  ///< Of the last.
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  wire::hub::Reason reason = wire::hub::Reason::none;
  bool operator==(const HolePart&) const = default;
};

/// The parts of a hole in their order: what is damaged, by `damaged`, which are in order and may lie outside,
/// and between them what is not in the log any more.
[[nodiscard]] std::vector<HolePart> parts_of(const Hole& hole,
                                             const std::vector<wire::hub::Position>& damaged);

}  // namespace sluice::hub
