#pragma once

#include <string_view>

namespace sluice {

/// Whether a pattern, in which `*` stands for any run of characters, covers the whole text. No recursion; the
/// worst case is the product of the two lengths.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

}  // namespace sluice
