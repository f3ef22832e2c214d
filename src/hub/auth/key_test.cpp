#include "hub/auth/key.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "core/hub_limits.hpp"
#include "hub/auth/base64url.hpp"
#include "hub/auth/testing.hpp"

namespace sluice::hub::auth {
namespace {

using testing::Issuer;
using testing::kSecret;

std::string bytes(std::string_view text) {
  return from_base64url(text).value();
}

// --- RFC 7515, appendix A ---

constexpr std::string_view kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

struct Example {
  const char* name;
  std::string text;  ///< That is signed.
  std::string signature;
  Key key;
};

Example example_a1() {
  return {.name = "A.1, HS256",
          .text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + std::string{kClaims},
          .signature = bytes("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
          .key = Key::of_secret(
                     "", bytes("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuT"
                               "wjAzZr1Z9CAow"))
                     .value()};
}

Example example_a2() {
  const std::string modulus = bytes(
      "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"
      "SFd2lZS-pC"
      "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
      "UTo7WTBEMa2R2CapHg6"
      "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
      "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
      "yuXpoQ");
  const std::string exponent = bytes("AQAB");
  return {.name = "A.2, RS256",
          .text = "eyJhbGciOiJSUzI1NiJ9." + std::string{kClaims},
          .signature = bytes("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
                             "lF5YKt_O8W2Fp5jujGbds"
                             "9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
                             "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRm"
                             "B_eSN9383LcOLn6_dO--xi12jzDwusC-"
                             "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98r"
                             "qVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
          .key = Key::of_rsa("", {.modulus = modulus, .exponent = exponent}).value()};
}

Example example_a3() {
  const std::string x = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
  const std::string y = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
  return {.name = "A.3, ES256",
          .text = "eyJhbGciOiJFUzI1NiJ9." + std::string{kClaims},
          .signature =
              bytes("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
          .key = Key::of_point("", {.x = x, .y = y}).value()};
}

TEST(Key, VerifiesTheExamplesOfTheRfcAndNothingNearThem) {
  for (const Example& example : {example_a1(), example_a2(), example_a3()}) {
    EXPECT_TRUE(example.key.verifies(example.text, example.signature)) << example.name;
    for (std::size_t i = 0; i < example.signature.size(); ++i) {
      std::string flipped = example.signature;
      flipped[i] = static_cast<char>(flipped[i] ^ 1);
      EXPECT_FALSE(example.key.verifies(example.text, flipped)) << example.name << ", byte " << i;
      EXPECT_FALSE(example.key.verifies(example.text, example.signature.substr(0, i))) << example.name;
    }
    EXPECT_FALSE(example.key.verifies(example.text + "A", example.signature)) << example.name;
    EXPECT_FALSE(example.key.verifies("", example.signature)) << example.name;
    EXPECT_FALSE(example.key.verifies(example.text, example.signature + '\0')) << example.name;
    EXPECT_FALSE(example.key.verifies(example.text, std::string(64, '\0')))
        << example.name;  // CVE-2022-21449
  }
}

TEST(Key, TakesTheNumbersOfAnEs256SignatureAtTheirFullLengthOnly) {
  const Example example = example_a3();
  const std::string r = example.signature.substr(0, 32);
  const std::string s = example.signature.substr(32);
  EXPECT_FALSE(example.key.verifies(example.text, r + '\0' + s));
  EXPECT_FALSE(example.key.verifies(example.text, '\0' + r + s));
}

TEST(Key, VerifiesWhatItsIssuerSignedAndNobodyElse) {
  for (const auto& [issuer, other] : {std::pair{Issuer::with_rsa(), Issuer::with_rsa()},
                                      std::pair{Issuer::with_curve(), Issuer::with_curve()}}) {
    const Key key = issuer.key();
    EXPECT_EQ(key.algorithm(), issuer.algorithm());
    EXPECT_TRUE(key.verifies("text", issuer.signature("text")));
    EXPECT_FALSE(key.verifies("text", other.signature("text")));
  }
}

TEST(Key, LeavesNoErrorBehindForTheConnectionsOfItsThread) {
  ERR_clear_error();
  const Key key = Issuer::with_curve().key();
  EXPECT_FALSE(key.verifies("text", std::string(64, '\1')));
  EXPECT_FALSE(
      Key::of_pem("", Algorithm::rs256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Key, IsNotMadeOfASecretThatIsShorterThanItsHash) {
  EXPECT_TRUE(Key::of_secret("", std::string(32, 'x')));
  EXPECT_EQ(Key::of_secret("", std::string(31, 'x')).error().code, Errc::invalid_argument);
  EXPECT_FALSE(Key::of_secret("", ""));
}

TEST(Key, IsBoundToTheAlgorithmOfItsKind) {
  const Issuer rsa = Issuer::with_rsa();
  const Issuer curve = Issuer::with_curve();
  EXPECT_EQ(Key::of_pem("", Algorithm::es256, rsa.public_pem()).error().message,
            "ES256 takes a key on the curve P-256");
  EXPECT_EQ(Key::of_pem("", Algorithm::rs256, curve.public_pem()).error().message, "RS256 takes an RSA key");
  EXPECT_EQ(Key::of_pem("", Algorithm::hs256, rsa.public_pem()).error().message,
            "HS256 takes a secret, and no PEM file");
}

TEST(Key, IsNotMadeOfOnesThatAreTooWeakOrOfAnotherCurve) {
  EXPECT_EQ(Key::of_pem("", Algorithm::rs256, Issuer::with_rsa(1024).public_pem()).error().message,
            "an RSA key has 2048 to 8192 bits here, this one has 1024");
  for (const char* const curve : {"P-384", "secp256k1"}) {
    EXPECT_EQ(Key::of_pem("", Algorithm::es256, Issuer::with_curve(curve).public_pem()).error().message,
              "ES256 takes a key on the curve P-256")
        << curve;
  }
}

TEST(Key, IsNotMadeOfAPrivateKey) {
  const auto key = Key::of_pem("", Algorithm::es256, Issuer::with_curve().private_pem());
  ASSERT_FALSE(key);
  EXPECT_NE(key.error().message.find("openssl pkey -in FILE -pubout"), std::string::npos);
}

TEST(Key, IsNotMadeOfWhatIsNoPublicKey) {
  const std::string pem = Issuer::with_curve().public_pem();
  for (std::size_t size = 0; size + 2 < pem.size(); ++size) {
    EXPECT_EQ(Key::of_pem("", Algorithm::es256, pem.substr(0, size)).error().code, Errc::malformed) << size;
  }
  // One that is encrypted is not asked a password for, which would wait for the terminal.
  EXPECT_FALSE(Key::of_pem(
      "", Algorithm::es256,
      "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
      "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n"));
}

TEST(Key, IsNotMadeOfNumbersThatMakeNone) {
  const std::string large(256, '\xC5');
  const auto rsa = [&](std::string_view modulus, std::string_view exponent) {
    return Key::of_rsa("", {.modulus = modulus, .exponent = exponent});
  };
  EXPECT_FALSE(rsa("", ""));
  EXPECT_FALSE(rsa(large, ""));
  EXPECT_FALSE(rsa(large, "\x01"));  // a signature would be the padded hash itself
  EXPECT_FALSE(rsa(large, "\x02"));  // even
  EXPECT_FALSE(rsa(std::string(255, '\xC5') + "\xC4", "\x03"));  // even
  EXPECT_FALSE(rsa(std::string(127, '\xC5'), "\x03"));           // short
  EXPECT_FALSE(rsa(std::string(1025, '\xC5'), "\x03"));          // would take long

  const std::string on = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
  const std::string beside = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw");
  const auto point = [](std::string_view x, std::string_view y) {
    return Key::of_point("", {.x = x, .y = y});
  };
  EXPECT_FALSE(point(on, beside));
  EXPECT_FALSE(point(on, on));
  EXPECT_FALSE(point("", ""));
  EXPECT_FALSE(point(std::string(32, '\0'), std::string(32, '\0')));
  EXPECT_FALSE(point(std::string(32, '\xFF'), std::string(32, '\xFF')));
  EXPECT_FALSE(point(on + '\0', on));
}

}  // namespace
}  // namespace sluice::hub::auth
