#include "hub/auth/claims.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/hub_limits.hpp"
#include "hub/auth/json_object.hpp"

namespace sluice::hub::auth {
namespace {

namespace json = boost::json;
using wire::hub::Reason;
using wire::hub::UnixMs;

template <typename T>
using Checked = std::expected<T, Refused>;

constexpr UnixMs kSkew = std::chrono::milliseconds{limits::kTokenSkew}.count();
constexpr double kLastSecond = 253'402'300'799;  // of the year 9999: RFC 3339 has no later one

std::unexpected<Refused> invalid(std::string message) {
  return std::unexpected(Refused{.reason = Reason::token_invalid, .message = std::move(message)});
}

std::optional<double> number_of(const json::value& value) {
  if (const auto* const integer = value.if_int64()) return static_cast<double>(*integer);
  if (const auto* const integer = value.if_uint64()) return static_cast<double>(*integer);
  if (const auto* const real = value.if_double()) return *real;
  return std::nullopt;
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, maybe with a fraction. Nothing: the claim is absent.
Checked<std::optional<UnixMs>> date_of(const json::object& claims, std::string_view name) {
  const auto* const value = claims.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::nullopt;
  const auto seconds = number_of(*value);
  if (!seconds || !(*seconds >= 0 && *seconds <= kLastSecond)) {
    return invalid(fmt::format("The token's `{}` is no date in seconds since 1970.", name));
  }
  return static_cast<UnixMs>(std::floor(*seconds * 1000));
}

/// Until when the token is good here.
Checked<UnixMs> check_times(const json::object& claims, UnixMs now) {
  const auto expires = date_of(claims, "exp");
  if (!expires) return std::unexpected(expires.error());
  if (!*expires) return invalid("The token has no `exp`: it must say when it expires.");
  for (const char* const name : {"nbf", "iat"}) {
    const auto date = date_of(claims, name);
    if (!date) return std::unexpected(date.error());
    if (*date && **date > now + kSkew) {
      return invalid(fmt::format("The token is not good yet: its `{}` is ahead of the hub's clock.", name));
    }
  }
  const UnixMs until = **expires + kSkew;
  if (now >= until) {
    return std::unexpected(Refused{.reason = Reason::token_expired, .message = "The token has expired."});
  }
  return until;
}

Checked<std::string> user_of(const json::object& claims) {
  const auto user = text_of(claims, "sub");
  if (!user || !wire::hub::is_name(*user)) {
    return invalid(
        fmt::format("The token's `sub`, the user, is a text of 1 to {} bytes without control characters.",
                    limits::kMaxName.count()));
  }
  return std::string{*user};
}

bool names(const json::value& audience, std::string_view wanted) {
  const auto is_wanted = [wanted](const json::value& value) {
    const auto* const text = value.if_string();
    return text != nullptr && std::string_view{text->data(), text->size()} == wanted;
  };
  const auto* const list = audience.if_array();
  return list == nullptr ? is_wanted(audience) : std::ranges::any_of(*list, is_wanted);
}

std::optional<Refused> check_parties(const json::object& claims, const ClaimRules& rules) {
  const auto* const audience = claims.if_contains("aud");
  const bool is_for_us =
      rules.audience.empty() ? audience == nullptr : audience != nullptr && names(*audience, rules.audience);
  if (!is_for_us) return Refused{.message = "The token's `aud` is not this hub: it is for somebody else."};
  if (!rules.issuer.empty() && text_of(claims, "iss") != rules.issuer) {
    return Refused{.message = "The token's `iss` is not whom this hub trusts."};
  }
  return std::nullopt;
}

Checked<std::vector<std::string>> patterns_of(const json::object& rights, std::string_view name) {
  std::vector<std::string> patterns;
  const auto* const value = rights.if_contains({name.data(), name.size()});
  if (value == nullptr) return patterns;
  const auto* const list = value->if_array();
  if (list == nullptr || list->size() > limits::kMaxPatterns) {
    return invalid(
        fmt::format("The token's `sluice.{}` is a list of at most {} patterns.", name, limits::kMaxPatterns));
  }
  for (const json::value& item : *list) {
    const auto* const text = item.if_string();
    if (text == nullptr || !wire::hub::is_name({text->data(), text->size()})) {
      return invalid(fmt::format("A pattern of the token's `sluice.{}` has 1 to {} bytes.", name,
                                 limits::kMaxName.count()));
    }
    patterns.emplace_back(text->data(), text->size());
  }
  return patterns;
}

Checked<bool> flag_of(const json::object& rights, std::string_view name) {
  const auto* const value = rights.if_contains({name.data(), name.size()});
  if (value == nullptr) return false;
  const bool* const flag = value->if_bool();
  if (flag == nullptr) return invalid(fmt::format("The token's `sluice.{}` is true or false.", name));
  return *flag;
}

/// Nothing: it is absent.
Checked<std::optional<std::uint64_t>> limit_of(const json::object& limits_claimed, std::string_view name) {
  const auto* const value = limits_claimed.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::nullopt;
  const auto* const negative = value->if_int64();
  const auto* const positive = value->if_uint64();
  const std::uint64_t number = positive != nullptr                    ? *positive
                               : negative != nullptr && *negative > 0 ? static_cast<std::uint64_t>(*negative)
                                                                      : 0;
  if (number == 0)
    return invalid(fmt::format("The token's `sluice.limits.{}` is a whole number above 0.", name));
  return number;
}

Checked<Limits> limits_of(const json::object& claims) {
  Limits limits;
  const auto* const rights = claims.if_contains("sluice");
  const auto* const claim = rights == nullptr ? nullptr : rights->as_object().if_contains("limits");
  if (claim == nullptr) return limits;
  const auto* const object = claim->if_object();
  if (object == nullptr) return invalid("The token's `sluice.limits` is an object.");
  for (const auto& [name, into] :
       {std::pair{"messages_per_second", &limits.messages_per_second},
        std::pair{"message_burst", &limits.message_burst},
        std::pair{"bytes_per_second", &limits.bytes_per_second}, std::pair{"byte_burst", &limits.byte_burst},
        std::pair{"connections", &limits.connections}, std::pair{"unanswered", &limits.unanswered}}) {
    const auto limit = limit_of(*object, name);
    if (!limit) return std::unexpected(limit.error());
    *into = *limit;
  }
  return limits;
}

Checked<Rights> rights_of(const json::object& claims) {
  Rights rights;
  const auto* const claim = claims.if_contains("sluice");
  if (claim == nullptr) return rights;
  const auto* const object = claim->if_object();
  if (object == nullptr) return invalid("The token's `sluice` is an object.");
  for (const auto& [name, into] : {std::pair{"publish", &rights.publish}, std::pair{"join", &rights.join},
                                   std::pair{"users", &rights.users}}) {
    auto patterns = patterns_of(*object, name);
    if (!patterns) return std::unexpected(std::move(patterns.error()));
    *into = std::move(*patterns);
  }
  for (const auto& [name, into] : {std::pair{"all", &rights.all}, std::pair{"admin", &rights.admin}}) {
    const auto flag = flag_of(*object, name);
    if (!flag) return std::unexpected(flag.error());
    *into = *flag;
  }
  return rights;
}

}  // namespace

std::expected<Identity, Refused> read_claims(std::string_view json, const ClaimRules& rules, UnixMs now) {
  const auto claims = parse_object(json);
  if (!claims) return invalid("The token's claims are no JSON object, or one says something twice.");
  auto until = check_times(*claims, now);
  if (!until) return std::unexpected(std::move(until.error()));
  if (auto refused = check_parties(*claims, rules)) return std::unexpected(std::move(*refused));
  auto user = user_of(*claims);
  if (!user) return std::unexpected(std::move(user.error()));
  auto rights = rights_of(*claims);
  if (!rights) return std::unexpected(std::move(rights.error()));
  const auto limits = limits_of(*claims);
  if (!limits) return std::unexpected(limits.error());
  const auto issued = date_of(*claims, "iat");  // which is a date, or is not there
  return Identity{.user = std::move(*user),
                  .rights = std::move(*rights),
                  .limits = *limits,
                  .expires_at = *until,
                  .issued_at = issued ? issued->value_or(0) : 0};
}

}  // namespace sluice::hub::auth
