#include "hub/service/session_tokens.hpp"

#include "core/bytes.hpp"
#include "crypto/encoding.hpp"
#include "crypto/keyed_hash.hpp"
#include "crypto/random.hpp"

namespace sluice::hub::service {
namespace {

constexpr std::size_t kSession = 32;  // hexadecimal digits

}  // namespace

std::string SessionTokens::new_session() {
  return crypto::to_hex(crypto::random_bytes<kSession / 2>());
}

std::string SessionTokens::token(std::string_view user, std::string_view session) const {
  crypto::KeyedHash hash{"sluice/1 session token", secret_.expose()};
  hash.add(as_bytes(user)).add(as_bytes(session));
  return std::string{session}.append(1, '.').append(crypto::to_hex(hash.digest()));
}

std::optional<std::string> SessionTokens::session_of(std::string_view token, std::string_view user) const {
  if (token.size() <= kSession || token[kSession] != '.') return std::nullopt;
  std::string session{token.substr(0, kSession)};
  const std::string expected = this->token(user, session);
  if (!crypto::equal_in_constant_time(as_bytes(token), as_bytes(expected))) return std::nullopt;
  return session;
}

}  // namespace sluice::hub::service
