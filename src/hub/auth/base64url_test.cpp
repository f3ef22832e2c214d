#include "hub/auth/base64url.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "hub/auth/testing.hpp"

namespace sluice::hub::auth {
namespace {

using testing::to_base64url;

TEST(Base64Url, ReadsTheExamplesOfTheRfcs) {
  EXPECT_EQ(from_base64url(""), "");
  EXPECT_EQ(from_base64url("Zg"), "f");
  EXPECT_EQ(from_base64url("Zm8"), "fo");
  EXPECT_EQ(from_base64url("Zm9v"), "foo");
  EXPECT_EQ(from_base64url("Zm9vYmFy"), "foobar");
  EXPECT_EQ(from_base64url("A-z_4ME"), "\x03\xec\xff\xe0\xc1");  // RFC 7515, appendix C
}

TEST(Base64Url, ReadsWhatWasWritten) {
  EXPECT_TRUE(
      rc::check([](const std::string& bytes) { RC_ASSERT(from_base64url(to_base64url(bytes)) == bytes); }));
}

TEST(Base64Url, TakesOneTextOnlyForTheSameBytes) {
  for (const char* const text : {"Zh", "Zm8=", "Zg==", "Zg=", "=", "Zm9v====", "Z", "Zm9vY"}) {
    EXPECT_FALSE(from_base64url(text)) << text;
  }
  EXPECT_FALSE(from_base64url("Zm9"));  // two bits that no encoder leaves set
  int good = 0;
  for (const char last :
       std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"}) {
    if (from_base64url(std::string{"Z"} + last)) ++good;
  }
  EXPECT_EQ(good, 4);  // A, Q, g, w
}

TEST(Base64Url, TakesNothingButItsDigits) {
  int good = 0;
  for (int c = 0; c < 256; ++c) {
    if (from_base64url(std::string{"Zm9"} + static_cast<char>(c))) ++good;
  }
  EXPECT_EQ(good, 64);
}

}  // namespace
}  // namespace sluice::hub::auth
