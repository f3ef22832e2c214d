#include "core/invisible.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/utf8.hpp"

namespace sluice {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// Unicode 15: Cf, Zl, Zp and Default_Ignorable_Code_Point, but for what `is_invisible` leaves out.
constexpr std::array kRanges = {
    Range{0x00AD, 0x00AD},    // soft hyphen
    Range{0x034F, 0x034F},    // combining grapheme joiner
    Range{0x061C, 0x061C},    // Arabic letter mark
    Range{0x115F, 0x1160},    // Hangul fillers
    Range{0x17B4, 0x17B5},    // Khmer inherent vowels
    Range{0x180E, 0x180E},    // Mongolian vowel separator
    Range{0x200B, 0x200F},    // zero-width, LRM, RLM
    Range{0x2028, 0x202E},    // separators, embeddings, overrides
    Range{0x2060, 0x206F},    // word joiner, invisible operators, isolates
    Range{0x3164, 0x3164},    // Hangul filler
    Range{0xFEFF, 0xFEFF},    // zero-width no-break space, byte order mark
    Range{0xFFA0, 0xFFA0},    // Hangul filler
    Range{0xFFF0, 0xFFFB},    // reserved, interlinear annotation
    Range{0x13430, 0x1343F},  // Egyptian hieroglyph format controls
    Range{0x1BCA0, 0x1BCA3},  // shorthand format controls
    Range{0x1D173, 0x1D17A},  // musical format controls
    Range{0xE0000, 0xE00FF},  // tags
    Range{0xE01F0, 0xE0FFF},  // reserved
};
static_assert(std::ranges::is_sorted(kRanges, {}, &Range::first));

constexpr unsigned char kFirstLead = 0xC2;  // of U+0080; all that is below is visible, or a control character

}  // namespace

bool is_invisible(char32_t code) {
  const auto behind = std::ranges::upper_bound(kRanges, code, {}, &Range::first);
  return behind != kRanges.begin() && code <= std::prev(behind)->last;
}

std::optional<char32_t> first_invisible(std::string_view text) {
  while (!text.empty()) {
    if (static_cast<unsigned char>(text.front()) < kFirstLead) {
      text.remove_prefix(1);
      continue;
    }
    const Character next = first_character(text);
    if (next.size != 0 && is_invisible(next.code)) return next.code;
    text.remove_prefix(std::max<std::size_t>(1, next.size));
  }
  return std::nullopt;
}

}  // namespace sluice
