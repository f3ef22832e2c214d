#include "hub/auth/identity.hpp"

#include <gtest/gtest.h>

namespace sluice::hub::auth {
namespace {

using wire::hub::Conversation;

const Conversation kAnn{.kind = Conversation::Kind::user, .name = "ann"};
const Conversation kOps{.kind = Conversation::Kind::group, .name = "ops.night"};
const Conversation kAll{.kind = Conversation::Kind::all};

TEST(Rights, GrantNothingUnlessTold) {
  const Rights none;
  for (const Conversation& to : {kAnn, kOps, kAll}) EXPECT_FALSE(none.may_publish(to));
  EXPECT_FALSE(none.may_join("ops.night"));
  EXPECT_FALSE(none.may_ask("ann"));
}

TEST(Rights, AreGrantedEachByItself) {
  const Rights publish{.publish = {"x", "ops.*"}};
  EXPECT_TRUE(publish.may_publish(kOps));
  EXPECT_FALSE(publish.may_publish({.kind = Conversation::Kind::group, .name = "dev"}));
  EXPECT_FALSE(publish.may_publish(kAnn));
  EXPECT_FALSE(publish.may_publish(kAll));
  EXPECT_FALSE(publish.may_join("ops.night"));

  const Rights join{.join = {"ops.*"}};
  EXPECT_TRUE(join.may_join("ops.night"));
  EXPECT_FALSE(join.may_join("dev"));
  EXPECT_FALSE(join.may_publish(kOps));

  const Rights users{.users = {"a*"}};
  EXPECT_TRUE(users.may_publish(kAnn));
  EXPECT_TRUE(users.may_ask("ann"));
  EXPECT_FALSE(users.may_ask("bob"));
  EXPECT_FALSE(users.may_publish({.kind = Conversation::Kind::group, .name = "ann"}));

  const Rights all{.all = true};
  EXPECT_TRUE(all.may_publish(kAll));
  EXPECT_FALSE(all.may_publish(kAnn));
}

TEST(Rights, AreForWholeNamesByteByByte) {
  const Rights rights{.publish = {"ops"}, .join = {"o*s", ""}, .users = {"*.bot", "Ann"}};
  for (const char* const name : {"Ops", "ops ", "op", "opsops", ""})
    EXPECT_FALSE(rights.may_publish({.kind = Conversation::Kind::group, .name = name})) << name;
  EXPECT_TRUE(rights.may_join("os"));
  EXPECT_TRUE(rights.may_join("o*s"));
  EXPECT_FALSE(rights.may_join("os.x"));
  EXPECT_TRUE(rights.may_ask("a.bot"));
  EXPECT_FALSE(rights.may_ask("bot"));
  EXPECT_FALSE(rights.may_ask("ann"));
}

TEST(Rights, AnyOneOfThemIsEnoughAndAdministrationGrantsNone) {
  const Rights some{.publish = {"a", "b*", "c"}};
  for (const char* const name : {"a", "bx", "c"})
    EXPECT_TRUE(some.may_publish({.kind = Conversation::Kind::group, .name = name})) << name;
  const Rights admin{.admin = true};
  for (const Conversation& to : {kAnn, kOps, kAll}) EXPECT_FALSE(admin.may_publish(to));
  EXPECT_FALSE(admin.may_join("ops.night"));
}

TEST(Rights, OfEveryoneAreAllButAdministration) {
  const Rights rights = Rights::of_everyone();
  for (const Conversation& to : {kAnn, kOps, kAll}) EXPECT_TRUE(rights.may_publish(to));
  EXPECT_TRUE(rights.may_join("any"));
  EXPECT_TRUE(rights.may_ask("any"));
  EXPECT_FALSE(rights.admin);
}

// --- a further token

constexpr wire::hub::UnixMs kNow = 1'000'000;

Identity token(wire::hub::UnixMs issued, wire::hub::UnixMs expires, std::vector<std::string> join = {"ops"}) {
  return {.user = "ann", .rights = {.join = std::move(join)}, .expires_at = expires, .issued_at = issued};
}

TEST(Refresh, ThatWasOvertakenOnItsWayMovesNothingBack) {
  const Identity kept = refreshed(token(900, kNow + 500), token(800, kNow + 100), kNow);
  EXPECT_EQ(kept.expires_at, kNow + 500);
  const Identity revoked = refreshed(token(900, kNow + 100, {}), token(800, kNow + 500), kNow);
  EXPECT_TRUE(revoked.rights.join.empty()) << "what was taken away stays away";
  EXPECT_EQ(revoked.expires_at, kNow + 100) << "and lasts as long as its own token says";
}

TEST(Refresh, WithANewerTokenTakesItAsItIs) {
  const Identity longer = refreshed(token(800, kNow + 100), token(900, kNow + 500, {"dev"}), kNow);
  EXPECT_EQ(longer.expires_at, kNow + 500);
  EXPECT_EQ(longer.rights.join, std::vector<std::string>{"dev"});
  EXPECT_EQ(longer.issued_at, 900);
  EXPECT_EQ(refreshed(token(800, kNow + 500), token(900, kNow + 100), kNow).expires_at, kNow + 100)
      << "an issuer may shorten";
}

TEST(Refresh, WithTokensOfNoDateKeepsTheLaterExpiryOfEqualRights) {
  EXPECT_EQ(refreshed(token(0, kNow + 500), token(0, kNow + 100), kNow).expires_at, kNow + 500);
  EXPECT_EQ(refreshed(token(0, kNow + 100), token(0, kNow + 500), kNow).expires_at, kNow + 500);
  EXPECT_EQ(refreshed(token(800, kNow + 500), token(800, kNow + 100), kNow).expires_at, kNow + 500);
  EXPECT_EQ(refreshed(token(0, 0), token(0, kNow + 100), kNow).expires_at, 0) << "never";
  const Identity other = refreshed(token(0, kNow + 500), token(0, kNow + 100, {"dev"}), kNow);
  EXPECT_EQ(other.expires_at, kNow + 100) << "the expiry is of the token that grants the rights";
  EXPECT_EQ(other.rights.join, std::vector<std::string>{"dev"});
}

TEST(Refresh, OfAnExpiredTokenTakesWhateverIsGood) {
  EXPECT_EQ(refreshed(token(900, kNow), token(800, kNow + 100), kNow).expires_at, kNow + 100);
}

}  // namespace
}  // namespace sluice::hub::auth
