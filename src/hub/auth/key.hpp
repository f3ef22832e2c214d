#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "core/error.hpp"
#include "hub/auth/algorithm.hpp"

namespace sluice::hub::auth {

/// What checks the signatures of an issuer. Bound to one algorithm when it is made: what a token says of
/// itself chooses among keys and never how a key is used, so that a public key cannot be taken for a secret
/// (RFC 8725 §2.1, §3.1).
///
/// Immutable; any thread may use it. A secret is wiped when its key goes.
class Key {
 public:
  /// For HS256. Error: `invalid_argument` when it is shorter than its hash (RFC 7518 §3.2).
  [[nodiscard]] static Result<Key> of_secret(std::string id, std::string_view secret);
  /// A public key, `BEGIN PUBLIC KEY`. Errors: `malformed`; `invalid_argument` for one that the algorithm
  /// cannot use or that is too weak, and for a private key, which a hub has no business with.
  [[nodiscard]] static Result<Key> of_pem(std::string id, Algorithm algorithm, std::string_view pem);
  /// Big-endian numbers, as a JWK has them (RFC 7518 §6.3.1). Errors as of `of_pem`.
  struct Rsa {
    std::string_view modulus;
    std::string_view exponent;
  };
  [[nodiscard]] static Result<Key> of_rsa(std::string id, Rsa numbers);
  /// A point of P-256, 32 bytes each (RFC 7518 §6.2.1). Errors as of `of_pem`.
  struct Point {
    std::string_view x;
    std::string_view y;
  };
  [[nodiscard]] static Result<Key> of_point(std::string id, Point point);

  /// The `kid` of the tokens that it is for; empty: it is for those of any.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }

  /// Whether its owner signed that text. A secret's signature is compared in constant time.
  [[nodiscard]] bool verifies(std::string_view text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  using Handle = std::unique_ptr<EVP_PKEY, Free>;

  Key(std::string id, Algorithm algorithm, Handle handle);
  static Result<Key> checked(std::string id, Algorithm algorithm, Handle handle);
  [[nodiscard]] bool verifies_hmac(std::string_view text, std::string_view signature) const;
  [[nodiscard]] bool verifies_public(std::string_view text, std::string_view signature) const;

  std::string id_;
  Algorithm algorithm_;
  Handle handle_;
};

}  // namespace sluice::hub::auth
