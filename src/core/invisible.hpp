#pragma once

#include <optional>
#include <string_view>

namespace sluice {

/// Whether a character has no shape of its own and changes how, or where, others are read: format characters
/// (Unicode's category Cf: bidirectional controls, zero-width spaces and joiners, tags), line and paragraph
/// separators (Zl, Zp), fillers, and code points that are reserved for such. Two texts that differ in these
/// alone look the same, and one with them may look like something else than it is (UAX #9, UTS #39).
///
/// Not: variation selectors, which only choose a shape, and the format characters that are drawn (Arabic
/// number signs, U+06DD and its kind).
[[nodiscard]] bool is_invisible(char32_t code);

/// The first such character of a text that is UTF-8.
[[nodiscard]] std::optional<char32_t> first_invisible(std::string_view text);

}  // namespace sluice
