#include "crypto/resume_proof.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::crypto {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;  // in window 5,666,666

// The tag was computed with Python's hmac and hashlib.
constexpr std::string_view kToken =
    "00112233445566778899aabbccddeeff.secret."
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(ResumeProof, IsTheTagThatTheProtocolSays) {
  EXPECT_EQ(prove_resume(kToken, kNow),
            "00112233445566778899aabbccddeeff.5666666." +
                std::string{"3dcb9ca87cccf653e290690d33c4f4012002e8df9c4b4d32b0611be7fa494843"});
}

TEST(ResumeProof, DoesNotContainTheTokensSecrets) {
  const std::string proof = *prove_resume(kToken, kNow);
  EXPECT_EQ(proof.find("secret"), std::string::npos);
  EXPECT_EQ(proof.find("0123456789abcdef"), std::string::npos);
}

TEST(ResumeProof, IsNotMadeOfATokenWithoutAKey) {
  EXPECT_EQ(prove_resume("session.secret", kNow), std::nullopt);
  EXPECT_EQ(prove_resume("secret", kNow), std::nullopt);
  EXPECT_EQ(prove_resume("", kNow), std::nullopt);
}

TEST(ResumeProof, IsTakenApartOrNotAtAll) {
  const auto proof = parse_resume_proof(*prove_resume(kToken, kNow));
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->session, "00112233445566778899aabbccddeeff");
  EXPECT_EQ(proof->window, 5'666'666U);
  const std::string tag(64, 'a');
  EXPECT_TRUE(parse_resume_proof("s.1." + tag));
  for (const std::string& text :
       std::vector<std::string>{std::string{}, std::string{"."}, "s." + tag, "s..-" + tag, "s.x." + tag,
                                "s.1x." + tag, ".1." + tag, "s.99999999999999999999." + tag, "s.-1." + tag,
                                "s.1.aa", std::string(256, 's') + ".1." + tag}) {
    EXPECT_FALSE(parse_resume_proof(text)) << text;
  }
}

}  // namespace
}  // namespace sluice::crypto
