#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "crypto/code.hpp"
#include "crypto/key_file.hpp"
#include "transport/webrtc/options.hpp"

namespace sluice::api {

/// The hub where two peers meet; `parse_hub` makes one of what a user wrote.
struct HubAddress {
  std::string url;          ///< `ws://` on loopback, `wss://` elsewhere.
  std::string fingerprint;  ///< `sha256:...` of the certificate to accept; empty: one that the system trusts.
};

/// What both sides of a tunnel need to find each other.
struct PeerOptions {
  HubAddress hub;
  webrtc::Options ice;
};

/// By what the two sides know each other.
using Credential = std::variant<crypto::Code, crypto::SharedKey>;

}  // namespace sluice::api
