#include "hub/auth/key.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "core/hub_limits.hpp"

namespace sluice::hub::auth {
namespace {

constexpr std::size_t kHashSize = 32;        // SHA-256
constexpr std::size_t kCoordinateSize = 32;  // P-256

template <auto free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

/// What fails here leaves nothing in the thread's queue of errors, which its TLS connections read.
class ForgetErrors {
 public:
  ForgetErrors() { ERR_set_mark(); }
  ForgetErrors(const ForgetErrors&) = delete;
  ForgetErrors& operator=(const ForgetErrors&) = delete;
  ~ForgetErrors() { ERR_pop_to_mark(); }
};

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Number number_of(std::string_view bytes) {
  return Number{BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr)};
}

/// A public key of these parameters, or nothing when they make none.
EVP_PKEY* public_key(const char* type, OSSL_PARAM* params) {
  const Context context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
    return nullptr;
  }
  return key;
}

int refuse_to_ask(char*, int, int, void*) {
  return -1;
}

std::string group_of(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) <= 0) return {};
  return {name.data(), size};
}

/// Why an algorithm cannot use this key, if so.
std::optional<std::string> unfit(Algorithm algorithm, const EVP_PKEY* key) {
  if (algorithm == Algorithm::es256) {
    if (EVP_PKEY_is_a(key, "EC") != 1 || group_of(key) != SN_X9_62_prime256v1) {
      return "ES256 takes a key on the curve P-256";
    }
    return std::nullopt;
  }
  if (EVP_PKEY_is_a(key, "RSA") != 1) return "RS256 takes an RSA key";
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < limits::kMinRsaBits || bits > limits::kMaxRsaBits) {
    return fmt::format("an RSA key has {} to {} bits here, this one has {}", limits::kMinRsaBits,
                       limits::kMaxRsaBits, bits);
  }
  return std::nullopt;
}

/// RFC 7518 §3.4: both numbers at their full length, one behind the other; OpenSSL takes them as DER.
std::string to_der(std::string_view signature) {
  if (signature.size() != 2 * kCoordinateSize) return {};
  const EcSignature numbers{ECDSA_SIG_new()};
  Number r = number_of(signature.substr(0, kCoordinateSize));
  Number s = number_of(signature.substr(kCoordinateSize));
  if (numbers == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(numbers.get(), r.get(), s.get()) != 1) {
    return {};
  }
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  const int size = i2d_ECDSA_SIG(numbers.get(), nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(numbers.get(), &out);
  return der;
}

}  // namespace

void Key::Free::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}

Key::Key(std::string id, Algorithm algorithm, Handle handle)
    : id_(std::move(id)), algorithm_(algorithm), handle_(std::move(handle)) {}

Result<Key> Key::checked(std::string id, Algorithm algorithm, Handle handle) {
  if (handle == nullptr) return fail(Errc::malformed, "it is no public key");
  if (auto why = unfit(algorithm, handle.get())) return fail(Errc::invalid_argument, std::move(*why));
  const Context context{EVP_PKEY_CTX_new_from_pkey(nullptr, handle.get(), nullptr)};
  if (context == nullptr || EVP_PKEY_public_check(context.get()) != 1) {
    return fail(Errc::invalid_argument, "its numbers make no sound key");
  }
  return Key{std::move(id), algorithm, std::move(handle)};
}

Result<Key> Key::of_secret(std::string id, std::string_view secret) {
  const ForgetErrors forget;
  if (secret.size() < kHashSize) {
    return fail(Errc::invalid_argument,
                fmt::format("a secret has at least {} bytes, this one has {}", kHashSize, secret.size()));
  }
  Handle handle{EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, nullptr, raw(secret), secret.size())};
  if (handle == nullptr) return fail(Errc::unsupported, "this system's OpenSSL has no HMAC");
  return Key{std::move(id), Algorithm::hs256, std::move(handle)};
}

Result<Key> Key::of_pem(std::string id, Algorithm algorithm, std::string_view pem) {
  const ForgetErrors forget;
  if (algorithm == Algorithm::hs256) {
    return fail(Errc::invalid_argument, "HS256 takes a secret, and no PEM file");
  }
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
    return fail(Errc::invalid_argument,
                "it is a private key, which is the issuer's alone: give the public one "
                "(openssl pkey -in FILE -pubout)");
  }
  const Bio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  if (bio == nullptr) return fail(Errc::malformed, "it is no public key");
  Handle handle{PEM_read_bio_PUBKEY(bio.get(), nullptr, refuse_to_ask, nullptr)};
  if (handle == nullptr) {
    return fail(Errc::malformed, "it is no public key in PEM, which begins with -----BEGIN PUBLIC KEY-----");
  }
  return checked(std::move(id), algorithm, std::move(handle));
}

Result<Key> Key::of_rsa(std::string id, Rsa numbers) {
  const ForgetErrors forget;
  if (numbers.modulus.size() * 8 > limits::kMaxRsaBits || numbers.exponent.size() > numbers.modulus.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("an RSA key has at most {} bits here", limits::kMaxRsaBits));
  }
  const Number modulus = number_of(numbers.modulus);
  const Number exponent = number_of(numbers.exponent);
  const ParamBuilder builder{OSSL_PARAM_BLD_new()};
  if (modulus == nullptr || exponent == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return fail(Errc::malformed, "it is no public key");
  }
  const Params params{OSSL_PARAM_BLD_to_param(builder.get())};
  return checked(std::move(id), Algorithm::rs256, Handle{public_key("RSA", params.get())});
}

Result<Key> Key::of_point(std::string id, Point point) {
  const ForgetErrors forget;
  if (point.x.size() != kCoordinateSize || point.y.size() != kCoordinateSize) {
    return fail(Errc::malformed, "both coordinates on P-256 have 32 bytes");
  }
  std::string octets = "\x04";  // uncompressed (SEC 1 §2.3.3)
  octets.append(point.x).append(point.y);
  std::string group = SN_X9_62_prime256v1;
  std::array params = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets.data(), octets.size()),
      OSSL_PARAM_construct_end(),
  };
  return checked(std::move(id), Algorithm::es256, Handle{public_key("EC", params.data())});
}

bool Key::verifies(std::string_view text, std::string_view signature) const {
  const ForgetErrors forget;
  switch (algorithm_) {
    case Algorithm::hs256:
      return verifies_hmac(text, signature);
    case Algorithm::rs256:
      return verifies_public(text, signature);
    case Algorithm::es256: {
      const std::string der = to_der(signature);
      return !der.empty() && verifies_public(text, der);
    }
  }
  return false;
}

bool Key::verifies_hmac(std::string_view text, std::string_view signature) const {
  const DigestContext context{EVP_MD_CTX_new()};
  std::array<unsigned char, kHashSize> expected{};
  std::size_t size = expected.size();
  return signature.size() == expected.size() && context != nullptr &&
         EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_.get()) == 1 &&
         EVP_DigestSign(context.get(), expected.data(), &size, raw(text), text.size()) == 1 &&
         size == expected.size() && CRYPTO_memcmp(expected.data(), signature.data(), size) == 0;
}

bool Key::verifies_public(std::string_view text, std::string_view signature) const {
  const DigestContext context{EVP_MD_CTX_new()};
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
}

}  // namespace sluice::hub::auth
