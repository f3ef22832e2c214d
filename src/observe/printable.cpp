#include "observe/printable.hpp"

#include <cstddef>

#include <fmt/format.h>

namespace sluice::observe {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  char32_t code = 0;
  std::size_t size = 0;  ///< In bytes; 0: they are not UTF-8.
};

/// The lead byte's share of the code, and how many bytes there are (RFC 3629 §3).
Character lead(unsigned char byte) {
  if (byte < 0x80) return {.code = byte, .size = 1};
  if (byte >= 0xC2 && byte <= 0xDF) return {.code = byte & 0x1FU, .size = 2};
  if (byte >= 0xE0 && byte <= 0xEF) return {.code = byte & 0x0FU, .size = 3};
  if (byte >= 0xF0 && byte <= 0xF4) return {.code = byte & 0x07U, .size = 4};
  return {};
}

bool is_legal(const Character& character) {
  if (character.size == 3) {
    const bool surrogate = character.code >= 0xD800 && character.code <= 0xDFFF;
    return character.code >= 0x800 && !surrogate;
  }
  return character.size != 4 || (character.code >= 0x10000 && character.code <= 0x10FFFF);
}

/// The first character of a text that is not empty.
Character first_of(std::string_view text) {
  Character found = lead(static_cast<unsigned char>(text.front()));
  if (found.size > text.size()) return {};
  for (std::size_t i = 1; i < found.size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) != 0x80) return {};
    found.code = found.code << 6U | (byte & 0x3FU);
  }
  return is_legal(found) ? found : Character{};
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_of(text);
    if (next.size == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (is_control(next.code)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  return out;
}

}  // namespace sluice::observe
