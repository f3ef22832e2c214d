#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace sluice::websocket {

/// Looks at a text that comes in pieces, cut anywhere, and says at the first byte that cannot be part of
/// UTF-8 (RFC 3629 §4) that it is none. Sans-I/O.
class Utf8Stream {
 public:
  /// False from the first wrong byte on.
  [[nodiscard]] bool take(ByteView piece);
  /// No character is left half read: the text may end here.
  [[nodiscard]] bool at_boundary() const { return missing_ == 0 && !broken_; }

 private:
  [[nodiscard]] bool take_byte(std::uint8_t byte);

  std::uint8_t missing_ = 0;  ///< Bytes of the begun character that have not come.
  std::uint8_t low_ = 0x80;   ///< What the next of them may be.
  std::uint8_t high_ = 0xBF;
  bool broken_ = false;
};

}  // namespace sluice::websocket
