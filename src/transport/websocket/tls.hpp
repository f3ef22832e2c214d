#pragma once

#include <boost/asio/ssl/context.hpp>

#include "core/error.hpp"
#include "transport/websocket/certificate.hpp"

/// For the room itself: TLS as both ends of it are set up here, 1.3, and of 1.2 the AEAD suites.
namespace sluice::websocket {

/// Errors: `permission_denied` (others may use the key), `not_found`, `malformed` (unreadable, no PEM, a key
/// that does not belong to the certificate).
[[nodiscard]] Result<boost::asio::ssl::context> server_context(const PemFiles& files);

/// With the system's roots. Whether the other side is verified by them or by its fingerprint is set for each
/// stream.
[[nodiscard]] Result<boost::asio::ssl::context> client_context();

}  // namespace sluice::websocket
