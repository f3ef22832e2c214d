#include "hub/service/session_tokens.hpp"

#include <chrono>

#include <gtest/gtest.h>

#include "core/admission_limits.hpp"
#include "core/hub_limits.hpp"
#include "crypto/random.hpp"
#include "crypto/resume_proof.hpp"

namespace sluice::hub::service {
namespace {

TEST(SessionTokens, NameTheSessionForItsUserAlone) {
  const SessionTokens tokens{crypto::random_secret<32>()};
  const std::string session = SessionTokens::new_session();
  const std::string token = tokens.token("ann", session);
  EXPECT_EQ(tokens.session_of(token, "ann"), session);
  EXPECT_EQ(tokens.session_of(token, "bob"), std::nullopt);
  EXPECT_EQ(tokens.session_of(token, ""), std::nullopt);
}

TEST(SessionTokens, OfAnotherHubAreNothing) {
  const SessionTokens ours{crypto::random_secret<32>()};
  const SessionTokens others{crypto::random_secret<32>()};
  EXPECT_EQ(ours.session_of(others.token("ann", SessionTokens::new_session()), "ann"), std::nullopt);
}

TEST(SessionTokens, AreNothingWhenAnythingOfThemIsChanged) {
  const SessionTokens tokens{crypto::random_secret<32>()};
  const std::string token = tokens.token("ann", SessionTokens::new_session());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_EQ(tokens.session_of(changed, "ann"), std::nullopt) << i;
    const bool is_old = i == token.rfind('.');  // a token of an earlier version, which had no key
    EXPECT_EQ(tokens.session_of(token.substr(0, i), "ann").has_value(), is_old) << i;
  }
  EXPECT_EQ(tokens.session_of(token + "0", "ann"), std::nullopt);
}

constexpr wire::hub::UnixMs kNow = 1'700'000'000'000;
constexpr wire::hub::UnixMs kWindow = std::chrono::milliseconds{limits::kResumeProofWindow}.count();

TEST(SessionTokens, AreProvedWithoutBeingTold) {
  const SessionTokens tokens{crypto::random_secret<32>()};
  const std::string token = tokens.token("ann", SessionTokens::new_session());
  const std::string proof = *crypto::prove_resume(token, kNow);
  EXPECT_TRUE(tokens.proves(proof, kNow));
  EXPECT_TRUE(tokens.query_proves("resume=" + proof, kNow));
  EXPECT_TRUE(tokens.query_proves("a=b&resume=" + proof + "&c", kNow));
  for (const std::string& query :
       {std::string{"resume"}, std::string{"resume="}, std::string{}, std::string{"&"}, "resume=" + token,
        "resum=" + proof, "xresume=" + proof, "resume=" + proof + "0"}) {
    EXPECT_FALSE(tokens.query_proves(query, kNow)) << query;
  }
}

TEST(SessionTokens, AreProvedForSomeMinutes) {
  const SessionTokens tokens{crypto::random_secret<32>()};
  const std::string proof = *crypto::prove_resume(tokens.token("ann", SessionTokens::new_session()), kNow);
  EXPECT_TRUE(tokens.proves(proof, kNow - kWindow)) << "the client's clock is ahead";
  EXPECT_TRUE(tokens.proves(proof, kNow + kWindow)) << "the client's clock is behind";
  EXPECT_FALSE(tokens.proves(proof, kNow - 2 * kWindow));
  EXPECT_FALSE(tokens.proves(proof, kNow + 2 * kWindow));
}

TEST(SessionTokens, AreProvedByTheirOwnKeyAlone) {
  const SessionTokens tokens{crypto::random_secret<32>()};
  const SessionTokens others{crypto::random_secret<32>()};
  const std::string session = SessionTokens::new_session();
  EXPECT_FALSE(tokens.proves(*crypto::prove_resume(others.token("ann", session), kNow), kNow));
  const std::string proof = *crypto::prove_resume(tokens.token("ann", session), kNow);
  for (std::size_t i = 0; i < proof.size(); ++i) {
    std::string changed = proof;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(tokens.proves(changed, kNow)) << i;
  }
}

TEST(SessionTokens, SessionsDiffer) {
  EXPECT_NE(SessionTokens::new_session(), SessionTokens::new_session());
}

}  // namespace
}  // namespace sluice::hub::service
