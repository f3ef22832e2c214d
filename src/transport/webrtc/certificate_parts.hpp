#pragma once

#include <memory>

#include <openssl/ssl.h>

#include "transport/webrtc/certificate.hpp"

namespace sluice::webrtc {

struct OpenSslDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* x509) const { X509_free(x509); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};
template <typename T>
using OpenSslPtr = std::unique_ptr<T, OpenSslDeleter>;

/// What the library holds of a certificate: for the DTLS engine, which hands it on.
struct Certificate::Parts {
  Parts(OpenSslPtr<EVP_PKEY> own_key, OpenSslPtr<X509> own_x509, const Fingerprint& digest)
      : key(std::move(own_key)), x509(std::move(own_x509)), fingerprint(digest) {}

  OpenSslPtr<EVP_PKEY> key;
  OpenSslPtr<X509> x509;
  Fingerprint fingerprint;
};

/// Throws std::runtime_error when the library cannot compute it (no memory).
[[nodiscard]] Fingerprint fingerprint_of(const X509& x509);

}  // namespace sluice::webrtc
