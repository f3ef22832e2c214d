#include "hub/auth/verifier.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/object.hpp>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "hub/auth/base64url.hpp"
#include "hub/auth/json_object.hpp"

namespace sluice::hub::auth {
namespace {

using wire::hub::Reason;

std::unexpected<Refused> invalid(std::string message) {
  return std::unexpected(Refused{.reason = Reason::token_invalid, .message = std::move(message)});
}

/// RFC 7515 §7.1: header, payload and signature, with dots between them.
struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  ///< The first two and their dot.
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return Parts{.header = token.substr(0, first),
               .payload = token.substr(first + 1, second - first - 1),
               .signature = token.substr(second + 1),
               .signed_text = token.substr(0, second)};
}

/// What the header says of its signature. The keys that it may bring along are not looked at (RFC 8725 §3.1).
std::expected<KeySet::Claimed, Refused> claimed_by(const boost::json::object& header) {
  const auto name = text_of(header, "alg");
  const auto algorithm = name ? parse_algorithm(*name) : std::nullopt;
  if (!algorithm) return invalid("The token is not signed with HS256, RS256 or ES256.");
  // RFC 7515 §4.1.11: what a receiver must understand and does not.
  if (header.contains("crit")) return invalid("The token asks for an extension that is not known here.");
  const auto id = text_of(header, "kid");
  if (header.contains("kid") && !id) return invalid("The token's `kid` is no text.");
  return KeySet::Claimed{.algorithm = *algorithm, .id = id, .issuer = {}};
}

}  // namespace

Result<Verifier> Verifier::create(const VerifierOptions& options) {
  if (options.keys.empty()) {
    return fail(Errc::invalid_argument, "There is no key that tokens could be checked with.");
  }
  auto keys = load_keys(options.keys);
  if (!keys) return fail(keys.error());
  return Verifier{std::move(*keys), options.claims};
}

Verifier::Verifier(KeySet keys, ClaimRules rules)
    : trusted_(std::make_shared<const Trusted>(Trusted{.keys = std::move(keys), .rules = std::move(rules)})) {
}

std::expected<Identity, Refused> Verifier::verify(std::string_view token, wire::hub::UnixMs now) const {
  if (token.empty()) {
    return std::unexpected(Refused{.reason = Reason::unauthenticated, .message = "This hub wants a token."});
  }
  if (Bytes{token.size()} > limits::kMaxToken) return invalid("The token is too long.");
  const auto parts = split(token);
  if (!parts) return invalid("The token is no JWT: it has not three parts.");
  const auto header_text = from_base64url(parts->header);
  const auto header = header_text ? parse_object(*header_text) : std::nullopt;
  if (!header) return invalid("The token's header is not base64url of a JSON object.");
  auto claimed = claimed_by(*header);
  if (!claimed) return std::unexpected(claimed.error());
  const auto payload = from_base64url(parts->payload);
  const auto signature = from_base64url(parts->signature);
  if (!payload || !signature) return invalid("The token is not base64url.");
  // Like the `kid`, the issuer chooses among keys before anything is believed; what is no JSON is told below.
  const auto claims = parse_object(*payload);
  claimed->issuer = claims ? text_of(*claims, "iss").value_or(std::string_view{}) : std::string_view{};
  if (!trusted_->keys.verifies(*claimed, parts->signed_text, *signature)) {
    return invalid("The token's signature is by none of the keys that this hub trusts for it.");
  }
  if (!trusted_->keys.binds(claimed->issuer)) return read_claims(*payload, trusted_->rules, now);
  ClaimRules rules = trusted_->rules;
  rules.issuer = claimed->issuer;  // that of `auth.issuer` is for the others
  return read_claims(*payload, rules, now);
}

}  // namespace sluice::hub::auth
