#pragma once

#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "crypto/cpace.hpp"
#include "crypto/keyed_hash.hpp"
#include "crypto/seal.hpp"

namespace sluice::rendezvous {

/// Everything that both sides must have seen alike: where they met, and the handshake's messages byte for
/// byte, with versions, features, nonces and shares in them.
struct Transcript {
  std::string_view mailbox;
  ByteView hello;
  ByteView start;
  ByteView reply;
};

/// What the key exchange is good for, all of it bound to the transcript: if anything in it differs between
/// the two, so does all of this. Each purpose, and each direction, has a key of its own.
struct SessionKeys {
  crypto::Digest client_tag;
  crypto::Digest host_tag;
  crypto::SealKey client_to_host;
  crypto::SealKey host_to_client;

  static SessionKeys derive(const crypto::cpace::SessionKey& key, const Transcript& transcript);
};

/// CI of the key exchange: the protocol and the mailbox.
[[nodiscard]] std::string channel_identifier(std::string_view mailbox);

}  // namespace sluice::rendezvous
