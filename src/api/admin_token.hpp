#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "crypto/secret.hpp"

namespace sluice::api {

/// A file's first line, without spaces around it: `limits::kMinAdminToken` to `limits::kMaxToken` printable
/// characters of ASCII, none of them a space. Waits for the disk. Errors: `not_found`, `permission_denied`
/// (also when others may use the file), `invalid_argument` (it is no file, or holds no such text).
[[nodiscard]] Result<std::string> read_admin_token(const std::filesystem::path& file);

/// The secret of those who administrate a hub. Keeps no copy of it but a hash.
class AdminToken {
 public:
  explicit AdminToken(std::string_view token);

  /// Whether an `Authorization` (RFC 6750 §2.1) shows it; in constant time.
  [[nodiscard]] bool is_shown_by(std::string_view authorization) const;

 private:
  crypto::Secret<32> hash_;
};

}  // namespace sluice::api
