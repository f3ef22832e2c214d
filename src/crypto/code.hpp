#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

/// What a host shows and a client types: the number of a mailbox at the hub, which is no secret, and three
/// words from the PGP word list, which are: `7-goldfish-amusement-tiger`. 24 bits, good for one guess
/// (docs/security.md).
struct Code {
  static constexpr std::size_t kWords = 3;

  std::string mailbox;                       ///< Decimal digits without leading zeros, as the hub gave it.
  std::array<std::uint8_t, kWords> words{};  ///< Indices: into the words of two, three, two syllables.

  /// Three fresh random words for that mailbox.
  [[nodiscard]] static Code random(std::string mailbox);

  /// Takes what a person types: any case, the parts separated by hyphens, spaces, underscores or dots, white
  /// space around it. Errors: `invalid_argument` with a sentence that names the part that is wrong and, for a
  /// word that is not in the list, those that look most like it.
  [[nodiscard]] static Result<Code> parse(std::string_view text);

  /// Lower case, with hyphens: what `parse` gives back.
  [[nodiscard]] std::string text() const;

  /// The words alone, hashed: the password of the key exchange.
  [[nodiscard]] Secret<32> password() const;

  bool operator==(const Code&) const = default;
};

}  // namespace sluice::crypto
