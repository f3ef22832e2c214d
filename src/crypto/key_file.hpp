#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/error.hpp"
#include "crypto/secret.hpp"

namespace sluice::crypto {

/// A long-lived secret that a host and its clients share, in the place of a code: 256 random bits. Whoever
/// has the file may connect.
class SharedKey {
 public:
  explicit SharedKey(Secret<32> secret) : secret_(std::move(secret)) {}
  [[nodiscard]] static SharedKey random();

  /// The mailbox that both sides use: 32 hexadecimal digits that tell nothing of the secret.
  [[nodiscard]] std::string mailbox() const;
  /// The password of the key exchange; never the secret itself.
  [[nodiscard]] Secret<32> password() const;

  [[nodiscard]] SharedKey clone() const { return SharedKey{secret_.clone()}; }
  [[nodiscard]] const Secret<32>& secret() const { return secret_; }

 private:
  Secret<32> secret_;
};

/// Three lines of text:
/// ```
/// sluice-key 1
/// secret 64 hexadecimal digits
/// check 16 hexadecimal digits
/// ```
/// The check is a hash of what stands above it, so that a file that was cut short or mistyped is noticed.
///
/// Errors of `read_key_file`: `not_found`; `permission_denied` (others may read or write it, or this user may
/// not); `malformed`, with what is wrong; `unsupported` (a later version); `io`.
[[nodiscard]] Result<SharedKey> read_key_file(const std::filesystem::path& path);

enum class IfKeyExists : std::uint8_t { refuse, replace };

/// Writes the file for its owner alone (0600), whole or not at all. Errors: `permission_denied`, `io`,
/// `not_found` (no such folder), `refused` when there is a file already and it may not be replaced.
[[nodiscard]] Status write_key_file(const std::filesystem::path& path, const SharedKey& key,
                                    IfKeyExists if_exists);

}  // namespace sluice::crypto
