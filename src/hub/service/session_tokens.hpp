#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/secret.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::service {

/// Texts by which a client takes its session up again. Only a hub with this secret makes them, and each is
/// good for one user. The last of their three parts is a key that depends on the session alone: with it a
/// client proves before its Hello that it has such a session, and the hub needs no memory of it. Any thread.
class SessionTokens {
 public:
  explicit SessionTokens(crypto::Secret<32> secret) : secret_(std::move(secret)) {}

  /// A new session's name: 128 random bits.
  [[nodiscard]] static std::string new_session();
  [[nodiscard]] std::string token(std::string_view user, std::string_view session) const;
  /// The session that the token names; nothing for one that is not this user's, or of another hub.
  [[nodiscard]] std::optional<std::string> session_of(std::string_view token, std::string_view user) const;

  /// Whether that is a proof by the token of a session of this hub (docs/wire/hub.md), made lately. `query`
  /// is that of the upgrade's URL.
  [[nodiscard]] bool proves(std::string_view proof, wire::hub::UnixMs now) const;
  [[nodiscard]] bool query_proves(std::string_view query, wire::hub::UnixMs now) const;

 private:
  [[nodiscard]] std::string tag(std::string_view user, std::string_view session) const;
  [[nodiscard]] std::string proof_key(std::string_view session) const;

  crypto::Secret<32> secret_;
};

}  // namespace sluice::hub::service
