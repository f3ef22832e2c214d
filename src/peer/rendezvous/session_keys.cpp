#include "peer/rendezvous/session_keys.hpp"

#include <string>

namespace sluice::rendezvous {

using crypto::KeyedHash;

SessionKeys SessionKeys::derive(const crypto::cpace::SessionKey& key, const Transcript& transcript) {
  const crypto::Digest seen = KeyedHash{"sluice/1 transcript"}
                                  .add(as_bytes(transcript.mailbox))
                                  .add(transcript.hello)
                                  .add(transcript.start)
                                  .add(transcript.reply)
                                  .digest();
  const ByteView secret = key.expose();
  return {.client_tag = KeyedHash{"sluice/1 confirm client", secret}.add(seen).digest(),
          .host_tag = KeyedHash{"sluice/1 confirm host", secret}.add(seen).digest(),
          .client_to_host = KeyedHash{"sluice/1 seal client to host", secret}.add(seen).key(),
          .host_to_client = KeyedHash{"sluice/1 seal host to client", secret}.add(seen).key()};
}

std::string channel_identifier(std::string_view mailbox) {
  return "sluice/1 rendezvous" + std::string{mailbox};
}

}  // namespace sluice::rendezvous
