#pragma once

#include <list>

#include "core/bytes.hpp"

namespace sluice::tunnel {

/// Bytes in order that a socket has not taken yet: appended at the end, written from the front.
///
/// Pure. Bounded by whoever appends (a stream's receive window). Empty it holds no memory; otherwise at most
/// twice its bytes: small appends share a block, large ones have their own.
class HeldBytes {
 public:
  void append(ByteView bytes);

  /// The longest run of bytes at the front that lies in one piece; empty when nothing is held. Ends with the
  /// next call.
  [[nodiscard]] ByteView front() const;
  /// Drops bytes from the front. Requires `bytes` <= `front().size()`.
  void pop(std::size_t bytes);

  void clear();
  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] Bytes size() const { return size_; }

 private:
  std::list<ByteBuffer> blocks_;  // none of them empty
  std::size_t written_ = 0;       // of the first block
  Bytes size_;
};

}  // namespace sluice::tunnel
