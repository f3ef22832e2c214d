#include "transport/websocket/tls.hpp"

#include <string>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/ensure.hpp"
#include "core/secret_file.hpp"

namespace sluice::websocket {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

/// Of TLS 1.2 what has forward secrecy and an AEAD (RFC 9325 §4.2); 1.3 has nothing else.
constexpr const char* kTls12Suites = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK";

void require_modern_tls(ssl::context& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  ENSURE(SSL_CTX_set_cipher_list(context.native_handle(), kTls12Suites) == 1);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

}  // namespace

Result<ssl::context> server_context(const PemFiles& files) {
  if (auto secret = check_secret_file(files.key, "The TLS key"); !secret)
    return fail(std::move(secret.error()));
  ssl::context context{ssl::context::tls_server};
  require_modern_tls(context);
  // An encrypted key cannot be used: OpenSSL would stop and ask the terminal for its password.
  context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string{}; });
  error_code error;
  context.use_certificate_chain_file(files.certificate.string(), error);
  if (error) {
    return fail(error.category() == boost::system::system_category() ? Errc::not_found : Errc::malformed,
                "Cannot use the certificate " + files.certificate.string() + ": " + error.message());
  }
  context.use_private_key_file(files.key.string(), ssl::context::pem, error);
  if (error) {
    ERR_clear_error();
    return fail(Errc::malformed, "Cannot use the private key " + files.key.string() +
                                     " with the certificate " + files.certificate.string() + ": " +
                                     error.message());
  }
  return context;
}

Result<ssl::context> client_context() {
  ssl::context context{ssl::context::tls_client};
  require_modern_tls(context);
  error_code error;
  context.set_default_verify_paths(error);
  if (error) return fail(Errc::io, "Cannot load the system's root certificates: " + error.message());
  return context;
}

}  // namespace sluice::websocket
