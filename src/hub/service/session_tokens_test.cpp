#include "hub/service/session_tokens.hpp"

#include <gtest/gtest.h>

#include "crypto/random.hpp"

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
    EXPECT_EQ(tokens.session_of(token.substr(0, i), "ann"), std::nullopt) << i;
  }
  EXPECT_EQ(tokens.session_of(token + "0", "ann"), std::nullopt);
}

TEST(SessionTokens, SessionsDiffer) {
  EXPECT_NE(SessionTokens::new_session(), SessionTokens::new_session());
}

}  // namespace
}  // namespace sluice::hub::service
