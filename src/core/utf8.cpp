#include "core/utf8.hpp"

#include <cstdint>

namespace sluice {

namespace {

/// Length in bytes of the well-formed character at the start of `text`, 0 when there is none (RFC 3629 §4).
std::size_t character_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = at(0);
  if (first < 0x80) return 1;

  // The second byte's range is what rules out overlong forms, surrogates and what lies past U+10FFFF.
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || at(1) < low || at(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string_view utf8_prefix(std::string_view text, std::size_t bytes) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    const std::size_t length = character_length(text.substr(taken));
    if (length == 0 || taken + length > bytes) break;
    taken += length;
  }
  return text.substr(0, taken);
}

Character first_character(std::string_view text) {
  const std::size_t size = character_length(text);
  if (size == 0) return {};
  const auto lead = static_cast<std::uint8_t>(text.front());
  // RFC 3629 §3: of the first byte seven bits, or what the length leaves of them; of each other one six.
  char32_t code = size == 1 ? lead : lead & (0x7FU >> size);
  for (const char c : text.substr(1, size - 1)) code = code << 6U | (static_cast<std::uint8_t>(c) & 0x3FU);
  return {.code = code, .size = size};
}

bool is_utf8(std::string_view text) {
  return utf8_prefix(text, text.size()).size() == text.size();
}

}  // namespace sluice
