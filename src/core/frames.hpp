#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.hpp"
#include "core/ensure.hpp"

namespace sluice {

/// Whole messages, one behind the other, as one kind of link puts them on the wire: encoded once, never
/// changed, shared by every receiver.
///
/// A receiver may get a part of them, but never a part of a frame.
class Frames {
 public:
  /// Requires `ends` to ascend and to end with the size of `bytes`; both not empty.
  Frames(ByteBuffer bytes, std::vector<std::uint32_t> ends)
      : bytes_(std::move(bytes)), ends_(std::move(ends)) {
    ENSURE(!ends_.empty() && ends_.back() == bytes_.size());
  }

  [[nodiscard]] std::size_t count() const { return ends_.size(); }
  [[nodiscard]] std::size_t begin_of(std::size_t frame) const { return frame == 0 ? 0 : ends_[frame - 1]; }
  [[nodiscard]] std::size_t end_of(std::size_t frame) const { return ends_[frame]; }
  [[nodiscard]] ByteView bytes() const { return bytes_; }

 private:
  ByteBuffer bytes_;
  std::vector<std::uint32_t> ends_;  ///< Of each frame.
};

using SharedFrames = std::shared_ptr<const Frames>;

}  // namespace sluice
