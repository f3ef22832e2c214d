#include "cli/arguments.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(Arguments, TargetsWithAndWithoutNames) {
  const auto named = parse_target("ssh=127.0.0.1:22");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->name, "ssh");
  EXPECT_EQ(named->address.host, "127.0.0.1");
  EXPECT_EQ(named->address.port, 22);
  EXPECT_EQ(parse_target("8080")->address.host, "127.0.0.1");
  EXPECT_EQ(parse_target("v6=[::1]:5432")->address.host, "::1");
  EXPECT_EQ(parse_target("db.local:5432")->address.host, "db.local");
}

TEST(Arguments, TargetsThatCannotBeReachedAreRefused) {
  for (const char* text : {"", "=127.0.0.1:22", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:22",
                           "ssh=", "[::1]", "host:22x", ":22"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, Errc::invalid_argument);
  }
}

TEST(Arguments, PlacesToListenInEveryForm) {
  EXPECT_EQ(parse_listen("2222")->bind.port, 2222);
  EXPECT_EQ(parse_listen("2222")->bind.host, "127.0.0.1");
  EXPECT_EQ(parse_listen("8080:web")->target, "web");
  const auto bound = parse_listen("0.0.0.0:8080:web");
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->bind.host, "0.0.0.0");
  EXPECT_EQ(bound->bind.port, 8080);
  EXPECT_EQ(bound->target, "web");
  EXPECT_EQ(parse_listen("[::1]:0:web")->bind.host, "::1");
  EXPECT_EQ(parse_listen("[::1]:0")->target, "");
  EXPECT_EQ(parse_listen("localhost:0")->bind.host, "localhost");
}

TEST(Arguments, MalformedPlacesToListenAreRefused) {
  for (const char* text : {"", "web", "65536", "127.0.0.1:", "127.0.0.1:web", ":80", "[::1]", "-1"}) {
    EXPECT_FALSE(parse_listen(text)) << text;
  }
}

TEST(Arguments, UnixSocketsHaveAPathInsteadOfAPort) {
  const auto target = parse_target("db=unix:/run/db.sock");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->name, "db");
  EXPECT_EQ(target->path, "/run/db.sock");
  EXPECT_EQ(parse_target("unix:./here")->path, "./here");
  EXPECT_FALSE(parse_target("unix:"));
  const auto listen = parse_listen("unix:/tmp/a:b/in.sock:db");
  ASSERT_TRUE(listen);
  EXPECT_EQ(listen->path, "/tmp/a:b/in.sock");
  EXPECT_EQ(listen->target, "db");
  EXPECT_EQ(parse_listen("unix:/tmp/a:b/in.sock")->path, "/tmp/a:b/in.sock");
  EXPECT_EQ(parse_listen("unix:/tmp/in.sock")->target, "");
  EXPECT_FALSE(parse_listen("unix:"));
  EXPECT_FALSE(parse_listen("unix::db"));
}

TEST(Arguments, StunServersInEveryForm) {
  EXPECT_EQ(parse_stun("stun.example")->port, 3478);
  EXPECT_EQ(parse_stun("stun:stun.example")->host, "stun.example");
  EXPECT_EQ(parse_stun("stun:stun.example")->port, 3478);
  EXPECT_EQ(parse_stun("stun:stun.example:19302")->port, 19302);
  EXPECT_EQ(parse_stun("192.0.2.1:1")->host, "192.0.2.1");
  EXPECT_EQ(parse_stun("[2001:db8::1]")->host, "2001:db8::1");
  EXPECT_EQ(parse_stun("stun:[::1]:3479")->port, 3479);
}

TEST(Arguments, MalformedStunAndTurnServersAreRefused) {
  for (const std::string text :
       {"", "[::1", "::1]", "[::1]x", "[]", "[nonsense]", "[::1]:", "host:", "host:0", "host:x", "host:70000",
        ":3478", "a b", "::1", "host:1:2", "stuns:host", "host/path"}) {
    const auto stun = parse_stun(text);
    ASSERT_FALSE(stun) << text;
    EXPECT_EQ(stun.error().code, Errc::invalid_argument) << text;
    EXPECT_FALSE(parse_stun("stun:" + text)) << text;
    EXPECT_FALSE(parse_turn("turn:user:password@" + text)) << text;
  }
}

TEST(Arguments, TurnServersCarryTheirCredentials) {
  const auto turn = parse_turn("turn:user:p:a@ss@10.0.0.1:3479");
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->user, "user");
  EXPECT_EQ(turn->password, "p:a@ss");
  EXPECT_EQ(turn->server.host, "10.0.0.1");
  EXPECT_EQ(turn->server.port, 3479);
  EXPECT_FALSE(turn->tcp);
  EXPECT_TRUE(parse_turn("turn:u:p@relay.example?transport=tcp")->tcp);
  EXPECT_EQ(parse_turn("turn:u:p@relay.example")->server.port, 3478);
  for (const char* text : {"", "stun:a:b@c", "turn:c:3478", "turn::p@c", "turn:u:p@"}) {
    EXPECT_FALSE(parse_turn(text)) << text;
  }
}

TEST(Arguments, CodesAreToldFromPorts) {
  for (const CodeGiven given : {CodeGiven::no, CodeGiven::elsewhere}) {
    EXPECT_TRUE(looks_like_code("7-goldfish-amusement-tiger", given));
    EXPECT_FALSE(looks_like_code("2222", given));
    EXPECT_FALSE(looks_like_code("2222:my-target", given));
    EXPECT_FALSE(looks_like_code("127.0.0.1:2222", given));
  }
}

TEST(Arguments, AHostNameWithAHyphenIsAPlaceToListenWhenTheCodeComesFromElsewhere) {
  EXPECT_FALSE(looks_like_code("my-host:2222", CodeGiven::elsewhere));
  EXPECT_TRUE(looks_like_code("my-host:2222", CodeGiven::no));  // more likely a mistyped code
}

TEST(ParseDuration, TakesAFigureWithItsUnit) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("0.5s").value(), 500ms);
  EXPECT_EQ(parse_duration("2m").value(), 2min);
  EXPECT_EQ(parse_duration("24h").value(), 24h);
  for (const std::string_view wrong : {"", "5", "s", "5 s", "-1s", "25h", "1e300h", "5sec", "nans"})
    EXPECT_EQ(parse_duration(wrong).error().code, Errc::invalid_argument) << wrong;
}

TEST(ParseShare, TakesPercentsAndParts) {
  EXPECT_EQ(parse_share("30%").value(), 0.3);
  EXPECT_EQ(parse_share("0.3").value(), 0.3);
  EXPECT_EQ(parse_share("100%").value(), 1.0);
  for (const std::string_view wrong : {"", "%", "30", "-1%", "101%", "30%%", "nan", "0.3x"})
    EXPECT_EQ(parse_share(wrong).error().code, Errc::invalid_argument) << wrong;
}

}  // namespace
}  // namespace sluice::cli
