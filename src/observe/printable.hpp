#pragma once

#include <string>
#include <string_view>

namespace sluice::observe {

/// A text that may come from outside, made safe to show: no character of it drives a terminal, ends a line,
/// turns the order of others round, or hides.
///
/// The control characters, which are U+0000 to U+001F, U+007F and U+0080 to U+009F (a terminal takes U+009B
/// for the beginning of an escape sequence), and what is invisible (`is_invisible`: bidirectional controls,
/// zero-width characters, line separators) become `\uXXXX`, as JSON writes them: a serialized JSON text stays
/// one and means the same. What is not UTF-8 becomes U+FFFD, byte by byte.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace sluice::observe
