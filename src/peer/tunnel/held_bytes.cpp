#include "peer/tunnel/held_bytes.hpp"

#include <algorithm>

#include "core/ensure.hpp"

namespace sluice::tunnel {

namespace {

/// Up to this size a block takes more bytes: the default payload of a DATA packet.
constexpr std::size_t kBlock = 16 * 1024;

}  // namespace

void HeldBytes::append(ByteView bytes) {
  if (bytes.empty()) return;
  size_ += size_of(bytes);
  // Blocks are filled up, so that what is allocated stays within the windows whatever sizes bytes come in.
  if (!blocks_.empty() && blocks_.back().size() < kBlock) {
    ByteBuffer& last = blocks_.back();
    const ByteView fits = bytes.first(std::min(bytes.size(), kBlock - last.size()));
    last.reserve(kBlock);
    last.insert(last.end(), fits.begin(), fits.end());
    bytes = bytes.subspan(fits.size());
  }
  if (!bytes.empty()) blocks_.emplace_back(bytes.begin(), bytes.end());
}

ByteView HeldBytes::front() const {
  if (blocks_.empty()) return {};
  return ByteView{blocks_.front()}.subspan(written_);
}

void HeldBytes::pop(std::size_t bytes) {
  if (bytes == 0) return;
  ENSURE(bytes <= front().size());
  written_ += bytes;
  size_ -= Bytes{bytes};
  if (written_ == blocks_.front().size()) {
    blocks_.pop_front();
    written_ = 0;
  }
}

void HeldBytes::clear() {
  blocks_.clear();
  written_ = 0;
  size_ = {};
}

}  // namespace sluice::tunnel
