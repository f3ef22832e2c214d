#include "hub/service/session_tokens.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "crypto/encoding.hpp"
#include "crypto/keyed_hash.hpp"
#include "crypto/random.hpp"
#include "crypto/resume_proof.hpp"

namespace sluice::hub::service {
namespace {

constexpr std::size_t kSession = 32;  // hexadecimal digits

bool equal(std::string_view a, std::string_view b) {
  return crypto::equal_in_constant_time(as_bytes(a), as_bytes(b));
}

}  // namespace

std::string SessionTokens::new_session() {
  return crypto::to_hex(crypto::random_bytes<kSession / 2>());
}

std::string SessionTokens::tag(std::string_view user, std::string_view session) const {
  crypto::KeyedHash hash{"sluice/1 session token", secret_.expose()};
  hash.add(as_bytes(user)).add(as_bytes(session));
  return std::string{session}.append(1, '.').append(crypto::to_hex(hash.digest()));
}

std::string SessionTokens::proof_key(std::string_view session) const {
  crypto::KeyedHash hash{"sluice/1 resume key", secret_.expose()};
  return crypto::to_hex(hash.add(as_bytes(session)).digest());
}

std::string SessionTokens::token(std::string_view user, std::string_view session) const {
  return tag(user, session).append(1, '.').append(proof_key(session));
}

std::optional<std::string> SessionTokens::session_of(std::string_view token, std::string_view user) const {
  if (token.size() <= kSession || token[kSession] != '.') return std::nullopt;
  std::string session{token.substr(0, kSession)};
  // Tokens of earlier versions end before the key.
  if (!equal(token, this->token(user, session)) && !equal(token, tag(user, session))) return std::nullopt;
  return session;
}

bool SessionTokens::proves(std::string_view proof, wire::hub::UnixMs now) const {
  const auto parsed = crypto::parse_resume_proof(proof);
  if (!parsed || parsed->session.size() != kSession) return false;
  const std::uint64_t present = crypto::resume_window(now);
  if (parsed->window + 1 < present || parsed->window > present + 1) return false;
  const std::string expected =
      crypto::resume_tag(proof_key(parsed->session), parsed->session, parsed->window);
  return equal(parsed->tag, expected);
}

bool SessionTokens::query_proves(std::string_view query, wire::hub::UnixMs now) const {
  constexpr std::string_view kName = "resume=";
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part.starts_with(kName)) return proves(part.substr(kName.size()), now);
    query.remove_prefix(std::min(query.size(), part.size() + 1));
  }
  return false;
}

}  // namespace sluice::hub::service
