#include "hub/auth/claims.hpp"

#include <string>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"

namespace sluice::hub::auth {
namespace {

using wire::hub::Reason;
using wire::hub::UnixMs;

constexpr UnixMs kNow = 1'700'000'000'000;
constexpr UnixMs kSkew = 30'000;

std::expected<Identity, Refused> read(std::string_view json, const ClaimRules& rules = {},
                                      UnixMs now = kNow) {
  return read_claims(json, rules, now);
}
/// Claims that are good, and these.
std::string with(std::string_view more) {
  return R"({"sub":"ann","exp":1700000100)" + std::string{more} + "}";
}
Reason reason_for(std::string_view json, const ClaimRules& rules = {}, UnixMs now = kNow) {
  const auto identity = read(json, rules, now);
  if (identity) return Reason::none;
  EXPECT_FALSE(identity.error().message.empty());
  EXPECT_LE(identity.error().message.size(), limits::kMaxExplanation.count());
  return identity.error().reason;
}

TEST(Claims, TellWhoItIsAndGrantNothingOfThemselves) {
  const auto ann = read(with(""));
  ASSERT_TRUE(ann) << ann.error().message;
  EXPECT_EQ(ann->user, "ann");
  EXPECT_EQ(ann->expires_at, 1'700'000'100'000 + kSkew);
  EXPECT_FALSE(ann->rights.may_join("ops"));
  EXPECT_FALSE(ann->rights.may_ask("bob"));
  EXPECT_FALSE(ann->rights.all || ann->rights.admin);
}

TEST(Claims, FillTheRights) {
  const auto ann = read(with(
      R"(,"sluice":{"publish":["ops.*"],"join":["ops.*","all"],"users":["*"],"all":true,"admin":true,"later":[1]})"));
  ASSERT_TRUE(ann) << ann.error().message;
  EXPECT_EQ(ann->rights.publish, std::vector<std::string>{"ops.*"});
  EXPECT_EQ(ann->rights.join, (std::vector<std::string>{"ops.*", "all"}));
  EXPECT_EQ(ann->rights.users, std::vector<std::string>{"*"});
  EXPECT_TRUE(ann->rights.all);
  EXPECT_TRUE(ann->rights.admin);
}

TEST(Claims, WithRightsOfAnotherShapeAreRefused) {
  for (const char* const rights : {"null", "[]", "true", R"({"publish":"ops"})", R"({"join":[1]})",
                                   R"({"users":{}})", R"({"join":[""]})", R"({"all":"true"})",
                                   R"({"admin":1})", R"({"admin":null})", R"({"join":["a\u0000"]})"}) {
    EXPECT_EQ(reason_for(with(R"(,"sluice":)" + std::string{rights})), Reason::token_invalid) << rights;
  }
  EXPECT_EQ(reason_for(with(R"(,"sluice":{"join":[")" + std::string(256, 'x') + R"("]})")),
            Reason::token_invalid);
}

TEST(Claims, GrantAsManyPatternsAsMayBe) {
  const auto many = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "\"g" : ",\"g") + std::to_string(i) + '"';
    return with(R"(,"sluice":{"join":[)" + list + "]}");
  };
  EXPECT_EQ(reason_for(many(limits::kMaxPatterns)), Reason::none);
  EXPECT_EQ(reason_for(many(limits::kMaxPatterns + 1)), Reason::token_invalid);
}

TEST(Claims, AreGoodUntilTheyExpireAndTheClocksMayDiffer) {
  const UnixMs end = 1'700'000'100'000 + kSkew;
  EXPECT_EQ(reason_for(with(""), {}, end - 1), Reason::none);
  EXPECT_EQ(reason_for(with(""), {}, end), Reason::token_expired);
  EXPECT_EQ(reason_for(with(""), {}, end + 1'000'000'000), Reason::token_expired);
  EXPECT_EQ(read(R"({"sub":"ann","exp":1700000100.5})")->expires_at, end + 500);
  EXPECT_EQ(read(R"({"sub":"ann","exp":1.7000001e9})")->expires_at, end);
}

TEST(Claims, AreNotGoodBeforeTheirTime) {
  for (const std::string name : {"nbf", "iat"}) {
    EXPECT_EQ(reason_for(with(",\"" + name + "\":1700000030")), Reason::none);
    EXPECT_EQ(reason_for(with(",\"" + name + "\":1700000031")), Reason::token_invalid);
    EXPECT_EQ(reason_for(with(",\"" + name + "\":0")), Reason::none);
  }
}

TEST(Claims, WithDatesThatAreNoneAreRefused) {
  for (const char* const date : {"null", "\"1700000100\"", "true", "[]", "-1", "1e400", "-1e400",
                                 "253402300800", "18446744073709551615", "1e19", "9223372036854775807"}) {
    EXPECT_EQ(reason_for(R"({"sub":"ann","exp":)" + std::string{date} + "}"), Reason::token_invalid) << date;
    EXPECT_EQ(reason_for(with(R"(,"nbf":)" + std::string{date})), Reason::token_invalid) << date;
    EXPECT_EQ(reason_for(with(R"(,"iat":)" + std::string{date})), Reason::token_invalid) << date;
  }
  EXPECT_EQ(reason_for(R"({"sub":"ann"})"), Reason::token_invalid);
}

TEST(Claims, NameAUserThatMayBeOne) {
  const auto of = [](const std::string& user) {
    return reason_for(R"({"exp":1700000100,"sub":)" + user + "}");
  };
  EXPECT_EQ(of("\"" + std::string(255, 'x') + "\""), Reason::none);
  EXPECT_EQ(of("\"\u00e4nn\""), Reason::none);
  for (const std::string user :
       {"\"\"", "7", "null", "[\"ann\"]", "\"a\\u0000\"", "\"a\\nb\"", "\"\\u0085\""}) {
    EXPECT_EQ(of(user), Reason::token_invalid) << user;
  }
  EXPECT_EQ(of("\"" + std::string(256, 'x') + "\""), Reason::token_invalid);
  EXPECT_EQ(reason_for(R"({"exp":1700000100})"), Reason::token_invalid);
}

TEST(Claims, AreForThisHubAlone) {
  const ClaimRules rules{.audience = "hub"};
  EXPECT_EQ(reason_for(with(R"(,"aud":"hub")"), rules), Reason::none);
  EXPECT_EQ(reason_for(with(R"(,"aud":["other","hub"])"), rules), Reason::none);
  for (const char* const other :
       {"", R"(,"aud":"hubs")", R"(,"aud":"HUB")", R"(,"aud":[])", R"(,"aud":["other"])",
        R"(,"aud":{"hub":1})", R"(,"aud":null)", R"(,"aud":[["hub"]])"}) {
    EXPECT_EQ(reason_for(with(other), rules), Reason::token_invalid) << other;
  }
  // RFC 7519 §4.1.3: who is not named by the audience must not take it, and a hub without a name never is.
  EXPECT_EQ(reason_for(with(R"(,"aud":"hub")")), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"aud":"")")), Reason::token_invalid);
}

TEST(Claims, AreByTheIssuerThatIsTrusted) {
  const ClaimRules rules{.issuer = "https://id.example"};
  EXPECT_EQ(reason_for(with(R"(,"iss":"https://id.example")"), rules), Reason::none);
  EXPECT_EQ(reason_for(with(R"(,"iss":"https://id.example/")"), rules), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"iss":["https://id.example"])"), rules), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(""), rules), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"iss":"anybody")")), Reason::none);
}

TEST(Claims, ThatSaySomethingTwiceAreRefused) {
  EXPECT_EQ(reason_for(with(R"(,"sub":"bob")")), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"\u0073ub":"bob")")), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"exp":9999999999)")), Reason::token_invalid);
  EXPECT_EQ(reason_for(with(R"(,"sluice":{"admin":false,"admin":true})")), Reason::token_invalid);
}

TEST(Claims, ThatAreNoObjectAreRefused) {
  for (const std::string text : {"", "null", "[]", "\"x\"", "{", "\xFF"}) {
    EXPECT_EQ(reason_for(text), Reason::token_invalid) << text;
  }
  EXPECT_EQ(reason_for(with(R"(,"x":)" + std::string(5'000, '['))), Reason::token_invalid);
}

}  // namespace
}  // namespace sluice::hub::auth
