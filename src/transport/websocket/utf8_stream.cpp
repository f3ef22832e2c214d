#include "transport/websocket/utf8_stream.hpp"

#include <cstddef>
#include <cstring>

namespace sluice::websocket {
namespace {

constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;

/// How many bytes from the start, in steps of eight, are ASCII.
std::size_t ascii_prefix(ByteView bytes) {
  std::size_t done = 0;
  while (bytes.size() - done >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + done, sizeof word);
    if ((word & kHighBits) != 0) break;
    done += sizeof word;
  }
  return done;
}

}  // namespace

bool Utf8Stream::take(ByteView piece) {
  std::size_t at = 0;
  while (at < piece.size() && !broken_) {
    if (missing_ == 0) at += ascii_prefix(piece.subspan(at));
    // The bytes up to the next chance of eight plain ones.
    for (int i = 0; i < 8 && at < piece.size() && !broken_; ++i, ++at) {
      broken_ = !take_byte(std::to_integer<std::uint8_t>(piece[at]));
    }
  }
  return !broken_;
}

bool Utf8Stream::take_byte(std::uint8_t byte) {
  if (missing_ > 0) {
    if (byte < low_ || byte > high_) return false;
    --missing_;
    low_ = 0x80;
    high_ = 0xBF;
    return true;
  }
  if (byte < 0x80) return true;
  // The second byte's range is what rules out overlong forms, surrogates and what lies past U+10FFFF.
  if (byte >= 0xC2 && byte <= 0xDF) {
    missing_ = 1;
  } else if (byte >= 0xE0 && byte <= 0xEF) {
    missing_ = 2;
    if (byte == 0xE0) low_ = 0xA0;
    if (byte == 0xED) high_ = 0x9F;
  } else if (byte >= 0xF0 && byte <= 0xF4) {
    missing_ = 3;
    if (byte == 0xF0) low_ = 0x90;
    if (byte == 0xF4) high_ = 0x8F;
  } else {
    return false;
  }
  return true;
}

}  // namespace sluice::websocket
