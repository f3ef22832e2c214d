#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/secret.hpp"

namespace sluice::hub::service {

/// Texts by which a client takes its session up again. Only a hub with this secret makes them, and each is
/// good for one user. Any thread.
class SessionTokens {
 public:
  explicit SessionTokens(crypto::Secret<32> secret) : secret_(std::move(secret)) {}

  /// A new session's name: 128 random bits.
  [[nodiscard]] static std::string new_session();
  [[nodiscard]] std::string token(std::string_view user, std::string_view session) const;
  /// The session that the token names; nothing for one that is not this user's, or of another hub.
  [[nodiscard]] std::optional<std::string> session_of(std::string_view token, std::string_view user) const;

 private:
  crypto::Secret<32> secret_;
};

}  // namespace sluice::hub::service
