#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/limits.hpp"

namespace sluice::webrtc {

/// A run of datagrams that one GSO call can send: all of one size, but for a shorter one at the end.
struct SegmentRun {
  ByteView bytes;
  std::uint16_t segment = 0;  ///< The size of each but the last.
  std::size_t count = 0;
};

/// Datagrams that wait to be sent, one after the other in one buffer, taken from the front.
///
/// Sans-I/O, one thread. Bound: `limits::kPathBacklog` bytes. Keeps its memory between batches.
class DatagramBatch {
 public:
  enum class Added : std::uint8_t { kept, refused };

  /// Copies a datagram to the end; refuses it when the bound would be passed or when it is no datagram at all
  /// (empty, or over 65,535 bytes).
  Added add(ByteView datagram);

  [[nodiscard]] bool empty() const { return first_ == sizes_.size(); }
  [[nodiscard]] std::size_t count() const { return sizes_.size() - first_; }
  /// All that waits, and the size of each.
  [[nodiscard]] ByteView bytes() const { return ByteView{bytes_}.subspan(begin_); }
  [[nodiscard]] std::span<const std::uint16_t> sizes() const { return std::span{sizes_}.subspan(first_); }

  /// The longest run at the front within `limits::kGsoSegments` and `kGsoBytes`. Requires: not empty.
  [[nodiscard]] SegmentRun front_run() const;
  /// Removes datagrams from the front. Requires: no more than `count()`.
  void drop_front(std::size_t count);

 private:
  ByteBuffer bytes_;
  std::vector<std::uint16_t> sizes_;
  std::size_t begin_ = 0;  ///< Where the first waiting datagram lies in `bytes_`.
  std::size_t first_ = 0;  ///< Its place in `sizes_`.
};

}  // namespace sluice::webrtc
