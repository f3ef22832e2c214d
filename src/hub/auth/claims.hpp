#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "hub/auth/identity.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::auth {

/// Why a token was not taken; the sentence tells nothing of the token but what is wrong with it.
struct Refused {
  wire::hub::Reason reason = wire::hub::Reason::token_invalid;
  std::string message{};

  bool operator==(const Refused&) const = default;
};

/// For whom tokens must be, and by whom.
struct ClaimRules {
  /// RFC 7519 §4.1.3: with one, a token names it in `aud`, alone or among others; without one, a token that
  /// is for anybody in particular is for somebody else.
  std::string audience{};
  std::string issuer{};  ///< With one, `iss` is exactly this.

  bool operator==(const ClaimRules&) const = default;
};

/// What the claims of a token say (RFC 7519 §4.1), as JSON, once its signature is good.
///
/// `sub` is the user's name and `exp` is required; `nbf` and `iat` may not be ahead of us; for all three the
/// clocks may differ by `limits::kTokenSkew`, which `Identity::expires_at` includes. The claim `sluice` has
/// the rights: `{"publish": ["ops.*"], "join": ["ops.*", "all"], "users": ["*"], "all": true, "admin":
/// false}`, each list of at most `limits::kMaxPatterns`; what is absent is not granted. Its `limits` are
/// whole numbers from 1 on: `{"messages_per_second": 20000, "message_burst", "bytes_per_second",
/// "byte_burst", "connections", "unanswered"}`; what is absent is the hub's usual. Other claims are ignored.
///
/// Pure. Refuses with `token_expired`, else with `token_invalid`.
[[nodiscard]] std::expected<Identity, Refused> read_claims(std::string_view json, const ClaimRules& rules,
                                                           wire::hub::UnixMs now);

}  // namespace sluice::hub::auth
