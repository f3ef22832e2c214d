#include "transport/websocket/tls.hpp"

#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace sluice::websocket {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

void require_modern_tls(ssl::context& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

}  // namespace

Result<ssl::context> server_context(const PemFiles& files) {
  ssl::context context{ssl::context::tls_server};
  require_modern_tls(context);
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
