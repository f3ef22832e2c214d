#include "hub/auth/verifier.hpp"

#include <string>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "hub/auth/testing.hpp"

namespace sluice::hub::auth {
namespace {

using testing::Issuer;
using testing::kSecret;
using testing::TemporaryFolder;
using testing::to_base64url;
using wire::hub::Reason;
using wire::hub::UnixMs;

constexpr UnixMs kNow = 1'700'000'000'000;
constexpr std::string_view kClaims = R"({"sub":"ann","exp":1700000100,"sluice":{"join":["ops"]}})";

Verifier verifier_of(const Issuer& issuer) {
  KeySet keys;
  EXPECT_TRUE(keys.add(issuer.key("k")));
  return {std::move(keys), {}};
}

Reason reason_for(const Verifier& verifier, std::string_view token, UnixMs now = kNow) {
  const auto identity = verifier.verify(token, now);
  if (identity) return Reason::none;
  EXPECT_FALSE(identity.error().message.empty());
  return identity.error().reason;
}

TEST(Verifier, TakesTokensOfItsIssuers) {
  for (const Issuer& issuer : {Issuer::with_secret(), Issuer::with_rsa(), Issuer::with_curve()}) {
    const auto ann = verifier_of(issuer).verify(issuer.sign(kClaims), kNow);
    ASSERT_TRUE(ann) << name_of(issuer.algorithm()) << ": " << ann.error().message;
    EXPECT_EQ(ann->user, "ann");
    EXPECT_TRUE(ann->rights.may_join("ops"));
    EXPECT_EQ(ann->expires_at, 1'700'000'130'000);
  }
}

TEST(Verifier, TellsWhyItRefuses) {
  const Issuer issuer = Issuer::with_secret();
  const Verifier verifier = verifier_of(issuer);
  EXPECT_EQ(reason_for(verifier, ""), Reason::unauthenticated);
  EXPECT_EQ(reason_for(verifier, issuer.sign(kClaims), kNow + 130'000), Reason::token_expired);
  EXPECT_EQ(reason_for(verifier, issuer.sign("{}")), Reason::token_invalid);
  // Of a forged token nothing is told, not even that it has expired.
  EXPECT_EQ(reason_for(verifier, Issuer::with_secret(std::string(40, 'x')).sign(kClaims), kNow + 130'000),
            Reason::token_invalid);
}

TEST(Verifier, RefusesTokensOfOthers) {
  EXPECT_EQ(reason_for(verifier_of(Issuer::with_curve()), Issuer::with_curve().sign(kClaims)),
            Reason::token_invalid);
  EXPECT_EQ(reason_for(verifier_of(Issuer::with_rsa()), Issuer::with_rsa().sign(kClaims)),
            Reason::token_invalid);
}

TEST(Verifier, RefusesTokensThatNobodySigned) {
  const Verifier verifier = verifier_of(Issuer::with_secret());
  for (const char* const algorithm : {"none", "None", "NONE", "nOnE", "", "hs256", "HS512", "RS256"}) {
    const std::string text =
        to_base64url(R"({"alg":")" + std::string{algorithm} + R"("})") + "." + to_base64url(kClaims);
    EXPECT_EQ(reason_for(verifier, text + "."), Reason::token_invalid) << algorithm;
    EXPECT_EQ(reason_for(verifier, text), Reason::token_invalid) << algorithm;
    EXPECT_EQ(reason_for(verifier, text + "." + to_base64url(Issuer::with_secret().signature(text))),
              Reason::token_invalid)
        << algorithm;
  }
  // RFC 7515, appendix A.5
  EXPECT_EQ(reason_for(verifier,
                       "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                       "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."),
            Reason::token_invalid);
}

TEST(Verifier, IsNotConfusedAboutTheAlgorithm) {
  for (const Issuer& issuer : {Issuer::with_rsa(), Issuer::with_curve()}) {
    const Verifier verifier = verifier_of(issuer);
    const std::string pem = issuer.public_pem();
    for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1)}) {
      const Issuer forger = Issuer::with_secret(secret);
      EXPECT_EQ(reason_for(verifier, forger.sign(kClaims)), Reason::token_invalid);
      EXPECT_EQ(reason_for(verifier, forger.sign(R"({"alg":"HS256","kid":"k"})", kClaims)),
                Reason::token_invalid);
      EXPECT_EQ(reason_for(verifier, forger.sign(R"({"alg":"RS256"})", kClaims)), Reason::token_invalid);
    }
  }
}

TEST(Verifier, ReadsTheHeaderStrictly) {
  const Issuer issuer = Issuer::with_secret();
  const Verifier verifier = verifier_of(issuer);
  for (const char* const good :
       {R"({"alg":"HS256"})", R"({"alg":"HS256","kid":"k"})",
        R"({"alg":"HS256","typ":"at+jwt","jku":"https://evil.example/","jwk":{"kty":"oct"}})"}) {
    EXPECT_EQ(reason_for(verifier, issuer.sign(good, kClaims)), Reason::none) << good;
  }
  const std::string deep = R"({"alg":"HS256","x":)" + std::string(1'000, '[') + std::string(1'000, ']') + "}";
  for (const std::string& bad :
       {std::string{"{}"}, std::string{"null"}, std::string{R"({"alg":["HS256"]})"},
        std::string{R"({"alg":"HS256","kid":7})"}, std::string{R"({"alg":"HS256","kid":"other"})"},
        std::string{R"({"alg":"HS256","kid":""})"}, std::string{R"({"alg":"none","alg":"HS256"})"},
        std::string{R"({"alg":"HS256","alg":"HS256"})"},
        std::string{R"({"alg":"HS256","crit":["exp"],"exp":1})"},
        std::string{R"({"alg":"HS256","b64":false,"crit":["b64"]})"}, deep}) {
    EXPECT_EQ(reason_for(verifier, issuer.sign(bad, kClaims)), Reason::token_invalid) << bad.substr(0, 60);
  }
}

TEST(Verifier, RefusesATokenThatWasCutOrAltered) {
  for (const Issuer& issuer : {Issuer::with_secret(), Issuer::with_curve()}) {
    const Verifier verifier = verifier_of(issuer);
    const std::string token = issuer.sign(kClaims);
    for (std::size_t i = 0; i < token.size(); ++i) {
      EXPECT_NE(reason_for(verifier, token.substr(0, i)), Reason::none) << i;
      EXPECT_NE(reason_for(verifier, token.substr(i + 1)), Reason::none) << i;
      for (const int bit : {1, 4, 32}) {
        std::string flipped = token;
        flipped[i] = static_cast<char>(flipped[i] ^ bit);
        EXPECT_EQ(reason_for(verifier, flipped), Reason::token_invalid) << i << ", " << bit;
      }
    }
  }
}

TEST(Verifier, TakesOneTextOnlyForTheSameToken) {
  const Issuer issuer = Issuer::with_secret();
  const Verifier verifier = verifier_of(issuer);
  const std::string token = issuer.sign(kClaims);
  const std::size_t dot = token.find('.');
  for (const std::string& other :
       {token + "=", token + "==", token + "\n", " " + token, token + ".", "." + token, token + ".x",
        token.substr(0, dot) + "=" + token.substr(dot), "Bearer " + token, token + std::string(1, '\0')}) {
    EXPECT_EQ(reason_for(verifier, other), Reason::token_invalid) << other;
  }
  // The last digit of 32 bytes has two bits that say nothing.
  int taken = 0;
  for (const char last :
       std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"}) {
    std::string other = token;
    other.back() = last;
    if (reason_for(verifier, other) == Reason::none) ++taken;
  }
  EXPECT_EQ(taken, 1);
}

TEST(Verifier, LooksAtNoMoreThanATokenMayHave) {
  const Issuer issuer = Issuer::with_secret();
  const Verifier verifier = verifier_of(issuer);
  const auto padded = [&](std::size_t more) {
    return issuer.sign(R"({"sub":"ann","exp":1700000100,"x":")" + std::string(more, 'x') + R"("})");
  };
  std::size_t more = 6'000;
  while (padded(more + 1).size() <= limits::kMaxToken.count()) ++more;
  EXPECT_EQ(reason_for(verifier, padded(more)), Reason::none);
  EXPECT_EQ(verifier.verify(padded(more + 4), kNow).error().message, "The token is too long.");
  EXPECT_EQ(verifier.verify(std::string(1'000'000, '.'), kNow).error().message, "The token is too long.");
}

TEST(Verifier, AppliesItsRules) {
  const Issuer issuer = Issuer::with_secret();
  KeySet keys;
  ASSERT_TRUE(keys.add(issuer.key()));
  const Verifier verifier{std::move(keys), {.audience = "hub", .issuer = "id"}};
  EXPECT_EQ(reason_for(verifier, issuer.sign(R"({"sub":"ann","exp":1700000100,"aud":"hub","iss":"id"})")),
            Reason::none);
  EXPECT_EQ(reason_for(verifier, issuer.sign(R"({"sub":"ann","exp":1700000100,"aud":"hub"})")),
            Reason::token_invalid);
  EXPECT_EQ(reason_for(verifier, issuer.sign(kClaims)), Reason::token_invalid);
}

TEST(Verifier, IsMadeOfKeyFilesAndAgainWhenTheyChange) {
  const TemporaryFolder folder;
  const VerifierOptions options{
      .keys = {{.path = folder.file("secret", std::string{kSecret} + "\n"), .algorithm = Algorithm::hs256}}};
  const std::string before = Issuer::with_secret().sign(kClaims);
  const std::string fresh = "another secret of a test, also longer than that";
  const std::string after = Issuer::with_secret(fresh).sign(kClaims);
  auto verifier = Verifier::create(options);
  ASSERT_TRUE(verifier) << describe(verifier.error());
  EXPECT_EQ(reason_for(*verifier, before), Reason::none);
  EXPECT_EQ(reason_for(*verifier, after), Reason::token_invalid);

  static_cast<void>(folder.file("secret", fresh));
  EXPECT_EQ(reason_for(*verifier, before), Reason::none);  // until it is replaced
  verifier = Verifier::create(options);
  ASSERT_TRUE(verifier);
  EXPECT_EQ(reason_for(*verifier, before), Reason::token_invalid);
  EXPECT_EQ(reason_for(*verifier, after), Reason::none);

  static_cast<void>(folder.file("secret", "short"));
  EXPECT_FALSE(Verifier::create(options));
  EXPECT_EQ(Verifier::create({}).error().code, Errc::invalid_argument);
}

TEST(Verifier, TakesAnIssuersTokensByItsOwnKeysAlone) {
  const Issuer one = Issuer::with_curve();
  const Issuer other = Issuer::with_curve();
  const Issuer any = Issuer::with_curve();
  KeySet keys;
  ASSERT_TRUE(keys.add(one.key("k"), "https://one.example"));
  ASSERT_TRUE(keys.add(other.key("k"), "https://other.example"));
  ASSERT_TRUE(keys.add(any.key("k")));
  const Verifier verifier{std::move(keys), {}};
  const auto signed_by = [&](const Issuer& key, std::string_view issuer) {
    const std::string iss = issuer.empty() ? "" : R"("iss":")" + std::string{issuer} + R"(",)";
    return reason_for(verifier, key.sign("{" + iss + R"("sub":"ann","exp":1700000100})"));
  };
  EXPECT_EQ(signed_by(one, "https://one.example"), Reason::none);
  EXPECT_EQ(signed_by(other, "https://other.example"), Reason::none);
  EXPECT_EQ(signed_by(other, "https://one.example"), Reason::token_invalid);
  EXPECT_EQ(signed_by(any, "https://one.example"), Reason::token_invalid);
  EXPECT_EQ(signed_by(one, "https://third.example"), Reason::token_invalid);
  EXPECT_EQ(signed_by(one, ""), Reason::token_invalid);
  EXPECT_EQ(signed_by(any, "https://third.example"), Reason::none);
  EXPECT_EQ(signed_by(any, ""), Reason::none);
}

TEST(Verifier, AsksForTheOneIssuerOfKeysThatHaveNone) {
  const Issuer own = Issuer::with_curve();
  const Issuer any = Issuer::with_curve();
  KeySet keys;
  ASSERT_TRUE(keys.add(own.key(), "https://one.example"));
  ASSERT_TRUE(keys.add(any.key()));
  const Verifier verifier{std::move(keys), {.issuer = "https://hub.example"}};
  const auto signed_by = [&](const Issuer& key, std::string_view issuer) {
    return reason_for(verifier,
                      key.sign(R"({"iss":")" + std::string{issuer} + R"(","sub":"ann","exp":1700000100})"));
  };
  EXPECT_EQ(signed_by(own, "https://one.example"), Reason::none);
  EXPECT_EQ(signed_by(any, "https://hub.example"), Reason::none);
  EXPECT_EQ(signed_by(any, "https://third.example"), Reason::token_invalid);
  EXPECT_EQ(signed_by(own, "https://hub.example"), Reason::token_invalid);
}

}  // namespace
}  // namespace sluice::hub::auth
