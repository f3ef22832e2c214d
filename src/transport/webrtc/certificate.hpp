#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace sluice::webrtc {

/// The SHA-256 digest of a certificate's DER form: what SDP's `a=fingerprint:sha-256` carries (RFC 8122 §5)
/// and what stands for a peer's identity once the signalling that brought it has been authenticated.
class Fingerprint {
 public:
  static constexpr std::size_t kSize = 32;
  using Digest = std::array<std::byte, kSize>;

  explicit constexpr Fingerprint(const Digest& digest) : digest_(digest) {}

  /// Reads `AB:CD:...`, exactly 32 pairs of hexadecimal digits in either case. Errors: `malformed`.
  [[nodiscard]] static Result<Fingerprint> parse(std::string_view text);
  /// `AB:CD:...` in capitals, as RFC 8122 §5 has it.
  [[nodiscard]] std::string format() const;

  [[nodiscard]] const Digest& digest() const { return digest_; }
  /// Takes the same time whatever the digests are.
  [[nodiscard]] bool operator==(const Fingerprint& other) const;

 private:
  Digest digest_;
};

/// A self-signed ECDSA P-256 certificate with its key, made for one session and kept in memory only (RFC 8827
/// §6.5).
class Certificate {
 public:
  /// Makes a new one, 30 days valid. Throws std::runtime_error when the library cannot (no entropy, no
  /// memory).
  [[nodiscard]] static Certificate generate();

  Certificate(Certificate&&) noexcept;
  Certificate& operator=(Certificate&&) noexcept;
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  ~Certificate();

  [[nodiscard]] const Fingerprint& fingerprint() const;

 private:
  friend class DtlsEngine;
  struct Parts;
  explicit Certificate(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace sluice::webrtc
