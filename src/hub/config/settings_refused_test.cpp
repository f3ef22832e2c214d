#include <algorithm>
#include <cstddef>
#include <regex>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "hub/config/settings.hpp"
#include "hub/config/testing.hpp"

namespace sluice::hub::config {
namespace {

using testing::parsed;
using testing::refusal_of;
using testing::text_of;

struct Refusal {
  std::string text;
  std::string says;
};

class SettingsRefused : public ::testing::TestWithParam<Refusal> {};

TEST_P(SettingsRefused, WithTheirPlaceAndAHint) {
  EXPECT_EQ(refusal_of(GetParam().text), GetParam().says);
}

const std::string kSizeHint = R"( takes a size in B, KiB, MiB, GiB or TiB, such as "64KiB")";
const std::string kTimeHint = R"( takes a time in ns, us, ms, s, min, h or d, such as "2s")";
const std::string kMatchHint =
    R"(`match` takes "user:NAME", "group:NAME" or "all"; a * in NAME stands for anything)";

INSTANTIATE_TEST_SUITE_P(
    Keys, SettingsRefused,
    ::testing::Values(
        Refusal{"[backpressure]\ndryrun = true",
                "hub.toml:2:1: there is no `backpressure.dryrun`; did you mean `dry_run`?"},
        Refusal{"[backpresure]", "hub.toml:1:2: there is no `backpresure`; did you mean `backpressure`?"},
        Refusal{"[rates.conection]",
                "hub.toml:1:8: there is no `rates.conection`; did you mean `connection`?"},
        Refusal{"[memory]\nack_window = \"1KiB\"",
                "hub.toml:2:1: there is no `memory.ack_window`; there is one in [backpressure]"},
        Refusal{"max_groups = 1", "hub.toml:1:1: there is no `max_groups`; there is one in [session]"},
        Refusal{"something_else = 1", "hub.toml:1:1: there is no `something_else`"},
        Refusal{"memory = 1", "hub.toml:1:1: `memory` is a section: [memory]"},
        Refusal{"[memory.limit]", "hub.toml:1:1: `memory.limit`" + kSizeHint},
        Refusal{"[[memory]]", "hub.toml:1:3: `memory` is a section: [memory]"},
        Refusal{"[route]", "hub.toml:1:1: `route` is a list of sections: [[route]]"},
        Refusal{"route = [1]", "hub.toml:1:9: `route` is a list of sections: [[route]]"},
        Refusal{"[auth]\nkey = \"x\"", "hub.toml:2:7: `auth.key` is a list of sections: [[auth.key]]"},
        Refusal{"[[route]]\nmatch = \"all\"\nstore = true",
                "hub.toml:3:1: there is no `store`; did you mean `stored`?"}));

INSTANTIATE_TEST_SUITE_P(
    Values, SettingsRefused,
    ::testing::Values(
        Refusal{"[memory]\nenabled = 1", "hub.toml:2:11: `memory.enabled` takes true or false"},
        Refusal{"[memory]\nlimit = 1048576", "hub.toml:2:9: `memory.limit`" + kSizeHint},
        Refusal{"[memory]\nlimit = \"1MB\"", "hub.toml:2:9: `memory.limit`" + kSizeHint},
        Refusal{"[memory]\nlimit = \"1KiB\"", "hub.toml:2:9: `memory.limit` takes 1MiB to 1TiB"},
        Refusal{"[heartbeat]\ninterval = 15", "hub.toml:2:12: `heartbeat.interval`" + kTimeHint},
        Refusal{"[heartbeat]\ninterval = \"15m\"", "hub.toml:2:12: `heartbeat.interval`" + kTimeHint},
        Refusal{"[heartbeat]\ninterval = \"1ms\"", "hub.toml:2:12: `heartbeat.interval` takes 1s to 1h"},
        Refusal{"[heartbeat]\ninterval = 00:15:00", "hub.toml:2:12: `heartbeat.interval`" + kTimeHint},
        Refusal{"[session]\nmax_groups = \"7\"", "hub.toml:2:14: `session.max_groups` takes a whole number"},
        Refusal{"[session]\nmax_groups = 7.0", "hub.toml:2:14: `session.max_groups` takes a whole number"},
        Refusal{"[session]\nmax_groups = 257", "hub.toml:2:14: `session.max_groups` takes 1 to 256"},
        Refusal{"[session]\nmax_groups = -1", "hub.toml:2:14: `session.max_groups` takes 1 to 256"},
        Refusal{"[rates.connection]\nbyte_burst = \"1KiB\"",
                "hub.toml:2:14: `rates.connection.byte_burst` takes 64KiB to 1000000000B"},
        Refusal{"[rates.connection]\nmessages_per_second = 0",
                "hub.toml:2:23: `rates.connection.messages_per_second` takes 1 to 1000000000"},
        Refusal{"[auth]\naudience = [\"hub\"]", "hub.toml:2:12: `auth.audience` takes a text"},
        Refusal{"[admin]\ntoken_file = true", "hub.toml:2:14: `admin.token_file` takes a text"},
        Refusal{"[log]\nlevel = \"warning\"",
                R"(hub.toml:2:9: `log.level` takes one of "trace", "debug", "info", "warn", "error", "off")"},
        Refusal{"[log]\nformat = 1", R"(hub.toml:2:10: `log.format` takes one of "text", "json")"},
        Refusal{"[listen]\naddresses = \"127.0.0.1:1\"",
                "hub.toml:2:13: `listen.addresses` takes a list of 1 to 16 texts"},
        Refusal{"[listen]\naddresses = []",
                "hub.toml:2:13: `listen.addresses` takes a list of 1 to 16 texts"},
        Refusal{"[listen]\naddresses = [\"a:1\", 2]",
                "hub.toml:2:13: `listen.addresses` takes a list of 1 to 16 texts"}));

INSTANTIATE_TEST_SUITE_P(
    Lists, SettingsRefused,
    ::testing::Values(
        Refusal{"[[auth.key]]",
                "hub.toml:1:1: a key needs its `file`\nhub.toml:1:1: a key needs its `algorithm`"},
        Refusal{"[[auth.key]]\nfile = \"\"\nalgorithm = \"JWKS\"", "hub.toml:2:1: `file` is empty"},
        Refusal{"[[auth.key]]\nfile = \"x\"\nalgorithm = \"none\"",
                R"(hub.toml:3:13: `algorithm` takes one of "HS256", "RS256", "ES256", "JWKS")"},
        Refusal{"[[auth.key]]\nfile = \"x\"\nalgorithm = \"JWKS\"\nid = \"a\"",
                "hub.toml:4:1: the keys of a JWKS file have ids of their own; leave `id` out"},
        Refusal{"[[auth.key]]\nfile = \"x\"\nalgorithm = \"ES256\"\nid = \"\"",
                "hub.toml:4:1: `id` takes 1 to 255 bytes without control characters"},
        Refusal{"[[route]]", "hub.toml:1:1: a route needs its `match`"},
        Refusal{"[[route]]\nmatch = \"ops\"", "hub.toml:2:1: " + kMatchHint},
        Refusal{"[[route]]\nmatch = \"group:\"", "hub.toml:2:1: " + kMatchHint},
        Refusal{"[[route]]\nmatch = \"*\"", "hub.toml:2:1: " + kMatchHint},
        Refusal{"[[route]]\nmatch = \"all:\"", "hub.toml:2:1: " + kMatchHint},
        Refusal{"[[route]]\nmatch = \"all\"\n[[route]]\nmatch = \"all\"",
                R"(hub.toml:4:1: an earlier route matches "all" already)"},
        Refusal{"[[route]]\nmatch = \"all\"\nclass = \"critical\"\npolicy = \"newest\"",
                "hub.toml:4:1: critical messages are never dropped; leave `policy` out"},
        Refusal{"[[route]]\nmatch = \"all\"\nstored = false\nmax_age = \"1h\"",
                "hub.toml:4:1: this route stores nothing; leave `max_age` out"},
        Refusal{"[[route]]\nmatch = \"all\"\nttl = \"0s\"", "hub.toml:3:7: `ttl` takes 1ms to 3650d"}));

INSTANTIATE_TEST_SUITE_P(
    Together, SettingsRefused,
    ::testing::Values(
        Refusal{
            "[listen]\naddresses = [\"nowhere\"]",
            "hub.toml:2:1: 'nowhere' is not ADDRESS:PORT with a port from 0 to 65535 (IPv6 addresses go in "
            "brackets, as in [::1]:7788)"},
        Refusal{"[listen]\ntls_cert = \"x\"",
                "hub.toml:2:1: `listen.tls_cert` and `listen.tls_key` go together"},
        Refusal{"[listen]\ntls_key = \"x\"",
                "hub.toml:2:1: `listen.tls_cert` and `listen.tls_key` go together"},
        Refusal{"[listen]\ntls_cert = \"x\"\ntls_key = \"x\"\ndev_cert = \"x\"",
                "hub.toml:4:1: `listen.dev_cert` is instead of `listen.tls_cert`; give one of them"},
        Refusal{"[auth]\nopen = true\n[[auth.key]]\nfile = \"x\"\nalgorithm = \"JWKS\"",
                "hub.toml:2:1: an open hub asks for no tokens; leave `auth.open` or the keys out"},
        Refusal{"[auth]\nopen = true\n[listen]\naddresses = [\"127.0.0.1:1\", \"0.0.0.0:1\"]",
                "hub.toml:2:1: an open hub lets everyone be anybody: it listens on loopback addresses only"},
        Refusal{"[listen]\nhosts = [\"a/b\"]",
                "hub.toml:2:1: \"a/b\" is not a host: NAME, NAME:PORT, *.NAME, or * for any"},
        Refusal{
            "[auth]\nopen = true\norigins = [\"*\"]",
            "hub.toml:3:1: an open hub lets everyone be anybody: name the origins whose pages may use it, "
            "not \"*\""},
        Refusal{"[auth]\nissuer = \"x\"",
                "hub.toml:2:1: there is no [[auth.key]] with which tokens could be checked"},
        Refusal{"[backpressure]\nwrite_buffer_low_water_mark = \"64KiB\"",
                "hub.toml:2:1: `write_buffer_low_water_mark` is less than `write_buffer_high_water_mark`"},
        Refusal{"[backpressure]\nwrite_buffer_high_water_mark = \"2MiB\"",
                "hub.toml:2:1: `write_buffer_limit` is no less than `write_buffer_high_water_mark`"},
        Refusal{"[memory]\nuser_limit = \"1GiB\"",
                "hub.toml:2:1: `memory.user_limit` is no more than `memory.limit`"},
        Refusal{"[memory]\nlimit = \"2MiB\"",
                "hub.toml:2:1: `memory.user_limit` is no more than `memory.limit`"},
        Refusal{"[admission]\nretry_after_min = \"11s\"",
                "hub.toml:2:1: `retry_after_min` is no more than `retry_after_max`"},
        Refusal{
            "[store]\nbound = \"1MiB\"",
            "hub.toml:2:1: `store.max_bytes`, of one conversation, is no more than `store.bound`, of all"}));

TEST(Settings, ThatAreNoTomlSayWhere) {
  const auto settings = parse_settings("[memory]\nlimit = \"1MiB", "hub.toml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::malformed);
  EXPECT_TRUE(settings.error().message.starts_with("hub.toml:2:")) << settings.error().message;
  EXPECT_FALSE(parse_settings("[memory]\nlimit = \"1MiB\"\nlimit = \"2MiB\"", "hub.toml"));
  EXPECT_FALSE(parse_settings("[memory]\n[memory]", "hub.toml"));
  EXPECT_FALSE(parse_settings("x = " + std::string(10'000, '['), "hub.toml"));
  EXPECT_FALSE(parse_settings("\xFF", "hub.toml"));
}

TEST(Settings, TellAllTheirProblemsInTheirOrder) {
  EXPECT_EQ(refusal_of("[memory]\nx = 1\nlimit = 2\n[fanout]\nslice = 0\n[classes]\nenabled = 1"),
            "hub.toml:2:1: there is no `memory.x`\nhub.toml:3:9: `memory.limit`" + kSizeHint +
                "\nhub.toml:5:9: `fanout.slice` takes 1 to 1000000"
                "\nhub.toml:7:11: `classes.enabled` takes true or false");
  std::string many = "[memory]\n";
  for (int i = 0; i < 20; ++i) many += "unheard_of_" + std::to_string(i) + " = 1\n";
  const std::string told = refusal_of(many);
  EXPECT_EQ(std::ranges::count(told, '\n'), static_cast<std::ptrdiff_t>(limits::kSettingsProblems));
  EXPECT_TRUE(told.ends_with("\nhub.toml: and 12 more")) << told;
}

TEST(Settings, TakeNoMoreRoutesAndKeysThanTheirLimits) {
  const auto routes = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "[[route]]\nmatch = \"user:" + std::to_string(i) + "\"\n";
    return text;
  };
  EXPECT_EQ(parsed(routes(limits::kMaxRoutes)).gateway.routes.size(), limits::kMaxRoutes);
  EXPECT_TRUE(refusal_of(routes(limits::kMaxRoutes + 1)).ends_with("there are more than 64 routes"));
  const auto keys = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "[[auth.key]]\nfile = \"x\"\nalgorithm = \"JWKS\"\n";
    return text;
  };
  EXPECT_EQ(parsed(keys(limits::kMaxKeys)).auth.verifier.keys.size(), limits::kMaxKeys);
  EXPECT_TRUE(refusal_of(keys(limits::kMaxKeys + 1)).ends_with("there are more than 32 keys"));
}

TEST(Settings, OfAnyTextAreTakenOrRefused) {
  const std::string sample = text_of(SLUICE_DOCS "/hub.toml");
  EXPECT_TRUE(rc::check([&sample] {
    std::string text = std::regex_replace(sample, std::regex{"(^|\n)#([a-z])"}, "$1$2");
    const int changes = *rc::gen::inRange(1, 8);
    for (int i = 0; i < changes; ++i) {
      text[*rc::gen::inRange<std::size_t>(0, text.size())] =
          *rc::gen::element('[', ']', '"', '=', '\n', '0', 'x', '.', '{');
    }
    const auto settings = parse_settings(text, "hub.toml");
    RC_ASSERT(settings || !settings.error().message.empty());
  }));
}

}  // namespace
}  // namespace sluice::hub::config
