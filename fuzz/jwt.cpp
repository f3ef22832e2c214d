// Whatever comes as a token, as the claims or the header of one that is signed well, or as a JWK set: it is
// taken for a user that may be one, or refused with a reason, and nobody is taken for a user whose token
// nobody signed.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "hub/auth/testing.hpp"
#include "hub/auth/verifier.hpp"

namespace {

using namespace sluice;
using namespace sluice::hub::auth;
using wire::hub::Reason;

constexpr wire::hub::UnixMs kNow = 1'700'000'000'000;
constexpr std::string_view kClaims = R"({"sub":"ann","exp":1700000100})";

struct World {
  hub::auth::testing::Issuer ours = hub::auth::testing::Issuer::with_secret();
  Verifier verifier = [this] {
    KeySet keys;
    ENSURE(keys.add(ours.key("s")));
    ENSURE(keys.add(hub::auth::testing::Issuer::with_curve().key("e")));
    return Verifier{std::move(keys), {}};
  }();
};

void check(const std::expected<Identity, Refused>& who) {
  if (!who) {
    ENSURE(who.error().reason == Reason::token_invalid || who.error().reason == Reason::token_expired ||
           who.error().reason == Reason::unauthenticated);
    ENSURE(!who.error().message.empty() && who.error().message.size() <= limits::kMaxExplanation.count());
    return;
  }
  ENSURE(wire::hub::is_name(who->user));
  ENSURE(who->expires_at > kNow);
  ENSURE(who->rights.join.size() <= limits::kMaxPatterns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  ENSURE(!world.verifier.verify(text, kNow));
  check(world.verifier.verify(text, kNow));
  check(world.verifier.verify(world.ours.sign(text), kNow));
  check(world.verifier.verify(world.ours.sign(text, kClaims), kNow));
  KeySet keys;
  if (const auto added = keys.add_jwks(text)) ENSURE(*added <= limits::kMaxKeys);
  return 0;
}
