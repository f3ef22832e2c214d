#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::crypto {

/// Which half of the PGP word list: its words of two syllables stand at even positions, those of three at odd
/// ones, so that a word left out, doubled or swapped with its neighbour is noticed.
enum class Syllables : std::uint8_t { two, three };

/// 256 words in lower case, word n for byte value n; no word is in both halves. They are in alphabetical
/// order but for one pair ("applicant" comes before "apollo" in the published list), so do not search them by
/// halving.
[[nodiscard]] std::span<const std::string_view, 256> word_list(Syllables syllables);

}  // namespace sluice::crypto
