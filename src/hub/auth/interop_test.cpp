#include <fstream>
#include <sstream>
#include <string>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "hub/auth/verifier.hpp"

namespace sluice::hub::auth {
namespace {

using wire::hub::Reason;

constexpr wire::hub::UnixMs kNow = 1'800'000'000'000;

/// Tokens of PyJWT, from testdata/make_tokens.py.
class PyJwt : public ::testing::Test {
 protected:
  PyJwt() {
    std::ifstream file{SLUICE_TESTDATA "/pyjwt_tokens.json"};
    std::ostringstream text;
    text << file.rdbuf();
    made = boost::json::parse(text.str());
  }
  [[nodiscard]] std::string text(const char* name) const { return std::string{made.at(name).as_string()}; }
  static Verifier verifier_of(KeySet keys) {
    return {std::move(keys), {.audience = "hub", .issuer = "https://id.example"}};
  }
  [[nodiscard]] KeySet keys() const {
    KeySet keys;
    EXPECT_TRUE(keys.add(Key::of_secret("s", text("secret")).value()));
    EXPECT_TRUE(keys.add(Key::of_pem("r", Algorithm::rs256, text("rsa_pem")).value()));
    EXPECT_TRUE(keys.add(Key::of_pem("e", Algorithm::es256, text("ec_pem")).value()));
    return keys;
  }
  [[nodiscard]] std::string token(const char* list, const char* name) const {
    return std::string{made.at(list).at(name).as_string()};
  }
  boost::json::value made;
};

TEST_F(PyJwt, IsUnderstood) {
  const Verifier verifier = verifier_of(keys());
  for (const char* const algorithm : {"HS256", "RS256", "ES256"}) {
    const auto ann = verifier.verify(token("tokens", algorithm), kNow);
    ASSERT_TRUE(ann) << algorithm << ": " << ann.error().message;
    EXPECT_EQ(ann->user, "ann");
    EXPECT_EQ(ann->rights.join, (std::vector<std::string>{"ops.*", "all"}));
    EXPECT_TRUE(ann->rights.all);
    EXPECT_FALSE(ann->rights.admin);
  }
}

TEST_F(PyJwt, MakesJwksThatAreUnderstood) {
  KeySet keys;
  ASSERT_EQ(keys.add_jwks(boost::json::serialize(made.at("jwks"))), 1U);
  EXPECT_TRUE(verifier_of(std::move(keys)).verify(token("tokens", "RS256"), kNow));
}

TEST_F(PyJwt, IsRefusedWhereItMustBe) {
  const Verifier verifier = verifier_of(keys());
  for (const auto& [name, token] : made.at("refused").as_object()) {
    const auto identity = verifier.verify(std::string{token.as_string()}, kNow);
    ASSERT_FALSE(identity) << name;
    EXPECT_EQ(identity.error().reason, name == "expired" ? Reason::token_expired : Reason::token_invalid)
        << name;
  }
}

}  // namespace
}  // namespace sluice::hub::auth
