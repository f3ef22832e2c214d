#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/testing.hpp"
#include "hub/auth/key.hpp"

/// An issuer of tokens, for tests.
namespace sluice::hub::auth::testing {

inline std::string to_base64url(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned held = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) text.push_back(kDigits[held >> (bits - 6) & 63]);
  }
  if (bits > 0) text.push_back(kDigits[held << (6 - bits) & 63]);
  return text;
}

inline constexpr std::string_view kSecret = "a secret of a test, longer than 32 bytes";

/// Signs with a key of its own that is made anew, or with a secret.
class Issuer {
 public:
  static Issuer with_secret(std::string_view secret = kSecret) {
    return {Algorithm::hs256, EVP_PKEY_new_raw_private_key(
                                  EVP_PKEY_HMAC, nullptr,
                                  reinterpret_cast<const unsigned char*>(secret.data()), secret.size())};
  }
  static Issuer with_rsa(unsigned bits = 2048) {
    return {Algorithm::rs256, EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits})};
  }
  static Issuer with_curve(const char* curve = "P-256") {
    return {Algorithm::es256, EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve)};
  }

  [[nodiscard]] std::string sign(std::string_view header, std::string_view claims) const {
    const std::string text = to_base64url(header) + "." + to_base64url(claims);
    return text + "." + to_base64url(signature(text));
  }
  /// With the usual header.
  [[nodiscard]] std::string sign(std::string_view claims) const {
    return sign(R"({"alg":")" + std::string{name_of(algorithm_)} + R"(","typ":"JWT"})", claims);
  }

  [[nodiscard]] std::string signature(std::string_view text) const {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
      throw std::runtime_error("no signature for a test");
    }
    std::string out(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes,
                       text.size()) != 1) {
      throw std::runtime_error("no signature for a test");
    }
    out.resize(size);
    return algorithm_ == Algorithm::es256 ? from_der(out) : out;
  }

  [[nodiscard]] std::string public_pem() const {
    return pem([this](BIO* to) { return PEM_write_bio_PUBKEY(to, key_.get()); });
  }
  [[nodiscard]] std::string private_pem() const {
    return pem([this](BIO* to) {
      return PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  [[nodiscard]] Key key(std::string id = {}) const {
    return algorithm_ == Algorithm::hs256 ? Key::of_secret(std::move(id), kSecret).value()
                                          : Key::of_pem(std::move(id), algorithm_, public_pem()).value();
  }
  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }

 private:
  Issuer(Algorithm algorithm, EVP_PKEY* key) : algorithm_(algorithm), key_(key, &EVP_PKEY_free) {
    if (key == nullptr) throw std::runtime_error("no key for a test");
  }

  template <typename Write>
  static std::string pem(Write write) {
    std::unique_ptr<BIO, decltype(&BIO_free_all)> bio{BIO_new(BIO_s_mem()), &BIO_free_all};
    if (write(bio.get()) != 1) throw std::runtime_error("no PEM for a test");
    const char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

  static std::string from_der(std::string_view der) {
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> numbers{
        d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())), &ECDSA_SIG_free};
    std::string out(64, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), bytes + 32, 32);
    return out;
  }

  Algorithm algorithm_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

using sluice::testing::TemporaryFolder;

}  // namespace sluice::hub::auth::testing
