#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "hub/auth/claims.hpp"
#include "hub/auth/identity.hpp"
#include "hub/auth/key_set.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::auth {

struct VerifierOptions {
  std::vector<KeyFile> keys{};
  ClaimRules claims{};

  bool operator==(const VerifierOptions&) const = default;
};

/// Says who somebody is by their token: a JWT (RFC 7519) in the compact form of RFC 7515, signed with HS256,
/// RS256 or ES256 by a key of ours.
///
/// A value that is cheap to copy and never changes: to take up other keys, make another and put it in its
/// place. Any thread may ask.
class Verifier {
 public:
  /// Reads the keys; waits for the disk. Errors: those of `load_keys`, and `invalid_argument` without any.
  [[nodiscard]] static Result<Verifier> create(const VerifierOptions& options);
  Verifier(KeySet keys, ClaimRules rules);

  /// Refuses with `unauthenticated` when there is no token, with `token_expired` when it was good once, else
  /// with `token_invalid`. At most `limits::kMaxToken` are looked at, and of the claims only the issuer
  /// before the signature is good. Takes about 10 µs with HS256, 30 with RS256 (2,048 bits) and 90 with
  /// ES256; most of the latter two again for each further key that may be meant.
  [[nodiscard]] std::expected<Identity, Refused> verify(std::string_view token, wire::hub::UnixMs now) const;

 private:
  struct Trusted {
    KeySet keys;
    ClaimRules rules;
  };
  std::shared_ptr<const Trusted> trusted_;
};

}  // namespace sluice::hub::auth
