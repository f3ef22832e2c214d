#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace sluice::websocket {

/// A certificate chain and its private key, as PEM files.
struct PemFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// `sha256:` and 64 hexadecimal digits: the SHA-256 of a certificate's DER form.
using Fingerprint = std::string;

/// The fingerprint that a user gave, brought into the form above: upper case and colons between the bytes are
/// fine, `sha256:` may be missing. Errors: `invalid_argument`.
[[nodiscard]] Result<Fingerprint> parse_fingerprint(std::string_view text);

/// The fingerprint of a file's first certificate. Errors: `not_found`, `malformed`.
[[nodiscard]] Result<Fingerprint> fingerprint_of(const std::filesystem::path& certificate);

/// The names that a file's first certificate is for (RFC 5280 §4.2.1.6): host names, also `*.NAME`, and
/// numeric addresses. Errors: `not_found`, `malformed`.
[[nodiscard]] Result<std::vector<std::string>> certificate_names(const std::filesystem::path& certificate);

/// The development certificate in a folder: self-signed ECDSA P-256 for `localhost` and the loopback
/// addresses, made on the first call together with the folder and valid for a year; the key can be read by
/// its owner only. One that has run out is made anew, with a warning in the log, since its fingerprint is
/// then another. Errors: `io`, `permission_denied`, `malformed` (there are files, but not ours).
[[nodiscard]] Result<PemFiles> development_certificate(const std::filesystem::path& folder);

}  // namespace sluice::websocket
