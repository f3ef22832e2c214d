#include "hub/auth/key_set.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "hub/auth/testing.hpp"

namespace sluice::hub::auth {
namespace {

namespace fs = std::filesystem;
using testing::Issuer;
using testing::kSecret;
using testing::TemporaryFolder;
using testing::to_base64url;

constexpr std::string_view kText = "text";

bool takes(const KeySet& keys, const Issuer& issuer, std::optional<std::string_view> id = {}) {
  return keys.verifies({.algorithm = issuer.algorithm(), .id = id}, kText, issuer.signature(kText));
}

TEST(KeySet, ChoosesByAlgorithmAndId) {
  const Issuer first = Issuer::with_curve();
  const Issuer second = Issuer::with_curve();
  KeySet keys;
  ASSERT_TRUE(keys.add(first.key("first")));
  ASSERT_TRUE(keys.add(second.key("second")));
  EXPECT_TRUE(takes(keys, first, "first"));
  EXPECT_FALSE(takes(keys, first, "second"));
  EXPECT_FALSE(takes(keys, first, "third"));
  EXPECT_TRUE(takes(keys, second));  // no id: it may be of any
  EXPECT_FALSE(takes(keys, Issuer::with_curve()));
}

TEST(KeySet, TakesAKeyWithoutAnIdForTokensOfAny) {
  const Issuer issuer = Issuer::with_curve();
  KeySet keys;
  ASSERT_TRUE(keys.add(Issuer::with_curve().key()));
  ASSERT_TRUE(keys.add(issuer.key()));
  EXPECT_TRUE(takes(keys, issuer, "whatever"));
  EXPECT_TRUE(takes(keys, issuer));
}

TEST(KeySet, NeverTakesAPublicKeyForASecret) {
  const Issuer rsa = Issuer::with_rsa();
  KeySet keys;
  ASSERT_TRUE(keys.add(rsa.key("k")));
  const Issuer forger = Issuer::with_secret(rsa.public_pem());
  EXPECT_FALSE(takes(keys, forger, "k"));
  EXPECT_FALSE(takes(keys, forger));
}

TEST(KeySet, RefusesTwoOfOneIdAndMoreThanItsLimit) {
  const Issuer issuer = Issuer::with_secret();
  KeySet keys;
  ASSERT_TRUE(keys.add(issuer.key("k")));
  EXPECT_EQ(keys.add(issuer.key("k")).error().message, "there are two keys for HS256 with the id 'k'");
  EXPECT_TRUE(keys.add(Issuer::with_curve().key("k")));  // of another algorithm: it is never meant
  for (std::size_t i = 2; i < limits::kMaxKeys; ++i) ASSERT_TRUE(keys.add(issuer.key()));
  EXPECT_EQ(keys.add(issuer.key()).error().code, Errc::limit_exceeded);
}

// --- JWK sets ---

const std::string kPoint =  // of RFC 7515, appendix A.3
    R"("crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")";
const std::string kOct = R"("kty":"oct","k":")" + to_base64url(kSecret) + '"';

Result<std::size_t> added(const std::string& text) {
  return KeySet{}.add_jwks(text);
}

TEST(KeySet, ReadsAJwkSet) {
  KeySet keys;
  const auto count =
      keys.add_jwks(R"({"keys":[{"kid":"s",)" + kOct + R"(},{"kty":"EC","kid":"e",)" + kPoint + "}]}");
  ASSERT_TRUE(count) << describe(count.error());
  EXPECT_EQ(*count, 2U);
  EXPECT_TRUE(takes(keys, Issuer::with_secret(), "s"));
  EXPECT_FALSE(takes(keys, Issuer::with_secret(), "e"));
}

TEST(KeySet, SkipsTheKeysOfAJwkSetThatAreNotOurs) {
  const auto with = [](const std::string& more) { return R"({"keys":[{)" + kOct + more + "}]}"; };
  EXPECT_EQ(added(with("")), 1U);
  EXPECT_EQ(added(with(R"(,"alg":"HS256","use":"sig","key_ops":["sign","verify"],"other":{"x":1})")), 1U);
  EXPECT_EQ(added(with(R"(,"alg":"HS512")")), 0U);
  EXPECT_EQ(added(with(R"(,"alg":"RS256")")), 0U);
  EXPECT_EQ(added(with(R"(,"alg":"none")")), 0U);
  EXPECT_EQ(added(with(R"(,"alg":7)")), 0U);
  EXPECT_EQ(added(with(R"(,"use":"enc")")), 0U);
  EXPECT_EQ(added(with(R"(,"use":null)")), 0U);
  EXPECT_EQ(added(with(R"(,"key_ops":["sign"])")), 0U);
  EXPECT_EQ(added(with(R"(,"key_ops":"verify")")), 0U);
  EXPECT_EQ(added(R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"EC","crv":"P-384"},{}]})"), 0U);
  EXPECT_EQ(added(R"({"keys":[]})"), 0U);
}

TEST(KeySet, RefusesAJwkSetThatIsBroken) {
  for (const char* const text :
       {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[1]})", R"({"keys":[],"keys":[]})",
        R"({"keys":[{"kty":"oct"}]})", R"({"keys":[{"kty":"oct","k":"c2hvcnQ"}]})",
        R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})", R"({"keys":[{"kty":"RSA"}]})",
        R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})"}) {
    EXPECT_FALSE(added(text)) << text;
  }
  EXPECT_FALSE(added(R"({"keys":[{"kty":"EC","d":"AA",)" + kPoint + "}]}"));  // the issuer's alone
  EXPECT_FALSE(added(R"({"keys":[{"kid":7,)" + kOct + "}]}"));
  EXPECT_FALSE(added(R"({"keys":[{"kid":"",)" + kOct + "}]}"));
  EXPECT_FALSE(added(R"({"keys":[{"kid":"a",)" + kOct + R"(},{"kid":"a",)" + kOct + "}]}"));
}

// --- files ---

class KeyFiles : public ::testing::Test {
 protected:
  Result<KeySet> load(KeyFile file) { return load_keys(std::array{std::move(file)}); }
  TemporaryFolder folder;
};

TEST_F(KeyFiles, AreReadOfEachKind) {
  const Issuer rsa = Issuer::with_rsa();
  const Issuer curve = Issuer::with_curve();
  const std::array files = {
      KeyFile{
          .path = folder.file("s", std::string{kSecret} + "\r\n"), .algorithm = Algorithm::hs256, .id = "s"},
      KeyFile{.path = folder.file("r", rsa.public_pem()), .algorithm = Algorithm::rs256, .id = "r"},
      KeyFile{.path = folder.file("e", curve.public_pem()), .algorithm = Algorithm::es256},
      KeyFile{.path = folder.file("j", R"({"keys":[{"kty":"EC",)" + kPoint + "}]}")},
  };
  const auto keys = load_keys(files);
  ASSERT_TRUE(keys) << describe(keys.error());
  EXPECT_TRUE(takes(*keys, Issuer::with_secret(), "s"));
  EXPECT_TRUE(takes(*keys, rsa, "r"));
  EXPECT_TRUE(takes(*keys, curve, "whatever"));
}

TEST_F(KeyFiles, ThatCannotBeUsedAreNamed) {
  const auto path = folder.file("short", "too short\n");
  const auto keys = load({.path = path, .algorithm = Algorithm::hs256});
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().message,
            "Cannot use the key file " + path.string() + ": a secret has at least 32 bytes, this one has 9.");
  EXPECT_EQ(load({.path = folder.path() / "absent"}).error().code, Errc::not_found);
  EXPECT_EQ(load({.path = folder.path()}).error().code, Errc::malformed);
  EXPECT_EQ(load({.path = folder.file("none", R"({"keys":[]})")}).error().code, Errc::invalid_argument);
  const std::string long_text(limits::kMaxKeyFileText.count() + 1, 'x');
  EXPECT_EQ(load({.path = folder.file("long", long_text), .algorithm = Algorithm::hs256}).error().code,
            Errc::malformed);
}

TEST_F(KeyFiles, WithASecretAreForTheirOwner) {
  const auto path = folder.file("s", kSecret);
  const KeyFile file{.path = path, .algorithm = Algorithm::hs256};
  EXPECT_TRUE(load(file));
  for (const fs::perms open : {fs::perms::others_read, fs::perms::group_write}) {
    fs::permissions(path, fs::perms::owner_read | open);
    EXPECT_EQ(load(file).error().code, Errc::permission_denied);
  }
}

TEST_F(KeyFiles, WithASecretInAJwksAreForTheirOwnerAndPublicOnesAreNot) {
  const auto secret = folder.file("s", R"({"keys":[{"kty":"oct","k":")" + to_base64url(kSecret) + R"("}]})");
  EXPECT_TRUE(load({.path = secret}));
  fs::permissions(secret, fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(load({.path = secret}).error().code, Errc::permission_denied);
}

}  // namespace
}  // namespace sluice::hub::auth
