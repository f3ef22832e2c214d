#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

/// Whether the bytes are well-formed UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing past
/// U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);

/// The longest part from the start that is well-formed and no longer than `bytes`; it never ends inside a
/// character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes);

/// The character at the start of a text that is not empty.
struct Character {
  char32_t code = 0;
  std::size_t size = 0;  ///< In bytes; 0: they are not UTF-8.
};
[[nodiscard]] Character first_character(std::string_view text);

}  // namespace sluice
