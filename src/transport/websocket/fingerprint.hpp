#pragma once

#include <openssl/x509.h>

#include "transport/websocket/certificate.hpp"

/// For the room itself: what names OpenSSL.
namespace sluice::websocket {

[[nodiscard]] Fingerprint fingerprint_of(const X509* certificate);

}  // namespace sluice::websocket
