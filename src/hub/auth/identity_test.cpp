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

}  // namespace
}  // namespace sluice::hub::auth
