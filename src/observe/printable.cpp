#include "observe/printable.hpp"

#include <fmt/format.h>

#include "core/invisible.hpp"
#include "core/utf8.hpp"

namespace sluice::observe {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

/// As JSON writes it (RFC 8259 §7): beyond U+FFFF as a surrogate pair.
void append_escaped(std::string& out, char32_t code) {
  if (code <= 0xFFFF) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    return;
  }
  const unsigned rest = static_cast<unsigned>(code) - 0x10000;
  out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_character(text);
    if (next.size == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (is_control(next.code) || is_invisible(next.code)) {
      append_escaped(out, next.code);
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  return out;
}

}  // namespace sluice::observe
