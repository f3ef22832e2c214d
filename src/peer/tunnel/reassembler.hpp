#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "core/bytes.hpp"
#include "core/limits.hpp"
#include "wire/tunnel/ids.hpp"

namespace sluice::tunnel {

/// Puts one direction of one socket back in order, whatever order its packets come in.
///
/// Sans-I/O; knows no packets, only their sequence numbers and their messages. The packet whose turn it is
/// never comes in here: whoever asks `place` deals with it at once, straight from the link's buffer, and
/// calls `advance`; only packets that came too early are copied. Then `take` yields those whose turn has come
/// thereby. Bound: no packet `max_ahead` or more before its turn is held; their bytes are bounded by the
/// receive window.
class Reassembler {
 public:
  explicit Reassembler(std::size_t max_ahead = limits::kMaxEarlyPackets) : max_ahead_(max_ahead) {}

  enum class Place : std::uint8_t {
    next,       ///< It is its turn.
    early,      ///< One before it is missing.
    duplicate,  ///< It was here before.
    beyond,     ///< Further ahead than any honest sender gets.
  };
  [[nodiscard]] Place place(wire::Sequence sequence) const;

  /// Keeps a packet until its turn. Requires `Place::early`.
  void hold(wire::Sequence sequence, ByteView message);

  /// The packet whose turn it was has been dealt with.
  void advance() { ++next_; }
  /// The held packet whose turn it is, if it is here; as if `advance` had been called for it.
  [[nodiscard]] std::optional<ByteBuffer> take();

  [[nodiscard]] std::size_t held() const { return early_.size(); }  ///< Packets.
  [[nodiscard]] wire::Sequence expected() const { return {static_cast<std::uint32_t>(next_)}; }

 private:
  [[nodiscard]] std::int32_t ahead(wire::Sequence sequence) const { return sequence.ahead_of(expected()); }

  std::size_t max_ahead_;
  std::uint64_t next_ = 0;                     // counts on where sequence numbers wrap round
  std::map<std::uint64_t, ByteBuffer> early_;  // all of them beyond next_
};

}  // namespace sluice::tunnel
