#include "transport/webrtc/certificate.hpp"

#include <cstdint>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "transport/webrtc/certificate_parts.hpp"

namespace sluice::webrtc {
namespace {

constexpr long kValidSeconds = 30L * 24 * 3600;
/// Clocks differ: valid since yesterday.
constexpr long kBackdatedSeconds = 24L * 3600;

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string{"cannot make a certificate: "} + what);
}

/// 63 random bits: positive, and never the same twice for one issuer name (RFC 5280 §4.1.2.2).
void set_serial(X509& x509) {
  std::uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "no randomness");
  require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(&x509), serial >> 1 | 1) == 1, "serial number");
}

}  // namespace

Fingerprint fingerprint_of(const X509& x509) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  require(X509_digest(&x509, EVP_sha256(), digest.data(), &size) == 1 && size == Fingerprint::kSize,
          "digest");
  Fingerprint::Digest out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::byte{digest[i]};
  return Fingerprint{out};
}

Result<Fingerprint> Fingerprint::parse(std::string_view text) {
  constexpr std::size_t kTextSize = kSize * 3 - 1;
  if (text.size() != kTextSize) return fail(Errc::malformed, "a SHA-256 fingerprint has 32 pairs of digits");
  Digest digest;
  for (std::size_t i = 0; i < kSize; ++i) {
    const int high = hex_value(text[i * 3]);
    const int low = hex_value(text[i * 3 + 1]);
    const bool separated = i + 1 == kSize || text[i * 3 + 2] == ':';
    if (high < 0 || low < 0 || !separated)
      return fail(Errc::malformed, "not a fingerprint of the form AB:CD:...");
    digest[i] = static_cast<std::byte>(high << 4 | low);
  }
  return Fingerprint{digest};
}

std::string Fingerprint::format() const {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  text.reserve(kSize * 3);
  for (const std::byte byte : digest_) {
    if (!text.empty()) text += ':';
    text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

bool Fingerprint::operator==(const Fingerprint& other) const {
  return CRYPTO_memcmp(digest_.data(), other.digest_.data(), kSize) == 0;
}

Certificate Certificate::generate() {
  OpenSslPtr<EVP_PKEY> key{EVP_EC_gen("P-256")};
  OpenSslPtr<X509> x509{X509_new()};
  require(key != nullptr && x509 != nullptr, "no key");
  require(X509_set_version(x509.get(), X509_VERSION_3) == 1, "version");
  set_serial(*x509);
  require(X509_gmtime_adj(X509_getm_notBefore(x509.get()), -kBackdatedSeconds) != nullptr, "validity");
  require(X509_gmtime_adj(X509_getm_notAfter(x509.get()), kValidSeconds) != nullptr, "validity");
  require(X509_set_pubkey(x509.get(), key.get()) == 1, "public key");
  X509_NAME* name = X509_get_subject_name(x509.get());
  const auto* common_name = reinterpret_cast<const unsigned char*>("WebRTC");
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1, "name");
  require(X509_set_issuer_name(x509.get(), name) == 1, "issuer");
  require(X509_sign(x509.get(), key.get(), EVP_sha256()) > 0, "signature");
  const Fingerprint fingerprint = fingerprint_of(*x509);
  return Certificate{std::make_unique<Parts>(std::move(key), std::move(x509), fingerprint)};
}

Certificate::Certificate(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Certificate::Certificate(Certificate&&) noexcept = default;
Certificate& Certificate::operator=(Certificate&&) noexcept = default;
Certificate::~Certificate() = default;

const Fingerprint& Certificate::fingerprint() const {
  return parts_->fingerprint;
}

}  // namespace sluice::webrtc
