#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "crypto/code.hpp"
#include "crypto/key_file.hpp"
#include "crypto/secret.hpp"
#include "transport/link.hpp"

namespace sluice::rendezvous {

/// Where two meet and what proves them to each other: a code, or a key file.
struct Credential {
  std::string mailbox;
  crypto::Secret<32> password;

  [[nodiscard]] static Credential of(const crypto::Code& code) {
    return {.mailbox = code.mailbox, .password = code.password()};
  }
  [[nodiscard]] static Credential of(const crypto::SharedKey& key) {
    return {.mailbox = key.mailbox(), .password = key.password()};
  }
};

/// How far an introduction has come, for a user interface.
enum class Progress : std::uint8_t {
  waiting,        ///< In the mailbox, for the other side.
  peer_joined,    ///< Somebody is there.
  key_confirmed,  ///< It is the right one.
  connecting,     ///< Both sides look for a path.
  connected,      ///< The channel is open.
};

/// Which part of the way failed; the same error means different things to a user there.
enum class Phase : std::uint8_t {
  hub,   ///< Reaching the hub, or staying in touch with it.
  key,   ///< Finding the other side there, and confirming the key.
  path,  ///< Building the connection to it.
};

struct Failure {
  Phase phase;
  Error error;
};

/// An open channel to the other side, or why there is none.
using Outcome = std::expected<std::unique_ptr<transport::Link>, Failure>;

}  // namespace sluice::rendezvous
