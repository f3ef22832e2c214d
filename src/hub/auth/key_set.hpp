#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "hub/auth/algorithm.hpp"
#include "hub/auth/key.hpp"

namespace sluice::hub::auth {

/// Where keys are read from.
struct KeyFile {
  std::filesystem::path path;
  /// HS256: the file's text, without its line's end, is the secret. RS256, ES256: a public key in PEM.
  /// Absent: a JWK set, whose keys say themselves what they are for.
  std::optional<Algorithm> algorithm{};
  std::string id{};  ///< The `kid` of the tokens that it is for; empty: any. Of a JWK set: always empty.
  /// Whose tokens it is for: their `iss`, and no other's; empty: those of everyone without keys of their own.
  std::string issuer{};

  bool operator==(const KeyFile&) const = default;
};

/// The keys that a hub trusts: at most `limits::kMaxKeys`. Immutable once it is filled; then any thread may
/// ask.
class KeySet {
 public:
  /// Errors: `limit_exceeded`; `invalid_argument` for a second key of that id and algorithm, for the same
  /// issuer.
  [[nodiscard]] Status add(Key key, std::string issuer = {});
  /// The keys of a JWK set (RFC 7517 §5). Those are skipped that are not for checking signatures, or of a
  /// type or for an algorithm that is not ours; broken ones are not. Returns how many were added. Errors:
  /// those of `add` and of `Key`, and `malformed`.
  [[nodiscard]] Result<std::size_t> add_jwks(std::string_view text, const std::string& issuer = {});
  /// Waits for the disk. Errors: those of the others; `not_found`, `io`; `permission_denied` when others
  /// may use a secret.
  [[nodiscard]] Status add_file(const KeyFile& file);

  [[nodiscard]] bool empty() const { return keys_.empty(); }

  /// Whether one of the keys for this algorithm and id signed the text. A token without an id may be of any
  /// key, and a key without one of any token. Keys of an issuer are for its tokens, and those of others are
  /// not.
  struct Claimed {
    Algorithm algorithm;
    std::optional<std::string_view> id;
    std::string_view issuer{};  ///< Empty: it names none.
  };
  [[nodiscard]] bool verifies(const Claimed& claimed, std::string_view text,
                              std::string_view signature) const;
  /// Whether this issuer has keys of its own.
  [[nodiscard]] bool binds(std::string_view issuer) const;

 private:
  struct Bound {
    Key key;
    std::string issuer;
  };
  [[nodiscard]] bool has_secret_from(std::size_t first) const;

  std::vector<Bound> keys_;
};

/// All of these. Errors as of `add_file`, naming the file.
[[nodiscard]] Result<KeySet> load_keys(std::span<const KeyFile> files);

}  // namespace sluice::hub::auth
