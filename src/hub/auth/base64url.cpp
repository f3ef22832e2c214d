#include "hub/auth/base64url.hpp"

#include <cstdint>

namespace sluice::hub::auth {
namespace {

constexpr std::uint32_t kNoDigit = 64;

std::uint32_t value_of(char digit) {
  if (digit >= 'A' && digit <= 'Z') return static_cast<std::uint32_t>(digit - 'A');
  if (digit >= 'a' && digit <= 'z') return static_cast<std::uint32_t>(digit - 'a') + 26;
  if (digit >= '0' && digit <= '9') return static_cast<std::uint32_t>(digit - '0') + 52;
  if (digit == '-') return 62;
  if (digit == '_') return 63;
  return kNoDigit;
}

}  // namespace

std::optional<std::string> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;  // six bits are no byte
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char digit : text) {
    const std::uint32_t value = value_of(digit);
    if (value == kNoDigit) return std::nullopt;
    held = (held << 6 | value) & 0xFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(held >> bits & 0xFF));
    }
  }
  if ((held & ((1U << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace sluice::hub::auth
