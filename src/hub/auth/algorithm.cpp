#include "hub/auth/algorithm.hpp"

namespace sluice::hub::auth {

std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::hs256:
      return "HS256";
    case Algorithm::rs256:
      return "RS256";
    case Algorithm::es256:
      return "ES256";
  }
  return "unknown";
}

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  for (const Algorithm algorithm : {Algorithm::hs256, Algorithm::rs256, Algorithm::es256}) {
    if (name == name_of(algorithm)) return algorithm;
  }
  return std::nullopt;
}

}  // namespace sluice::hub::auth
