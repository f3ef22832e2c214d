#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::hub::auth {

/// What a token may be signed with (RFC 7518 §3.1). There is no `none`.
enum class Algorithm : std::uint8_t {
  hs256,  ///< HMAC with SHA-256, by a secret that the issuer and the hub share.
  rs256,  ///< RSASSA-PKCS1-v1_5 with SHA-256.
  es256,  ///< ECDSA on P-256 with SHA-256.
};

/// As it stands in a token: `HS256`, `RS256`, `ES256`. Case counts (RFC 7515 §4.1.1).
[[nodiscard]] std::string_view name_of(Algorithm algorithm);
[[nodiscard]] std::optional<Algorithm> parse_algorithm(std::string_view name);

}  // namespace sluice::hub::auth
