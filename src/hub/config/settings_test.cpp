#include "hub/config/settings.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdlib.h>
#include <string>

#include <gtest/gtest.h>

#include "hub/config/fields.hpp"
#include "hub/config/testing.hpp"

namespace sluice::hub::config {
namespace {

namespace fs = std::filesystem;
using namespace literals;
using namespace std::chrono_literals;
using wire::hub::Conversation;

using testing::parsed;
using testing::refusal_of;
using testing::text_of;
using testing::written;

// --- what is taken ---

TEST(Settings, OfAnEmptyFileAreTheDefaults) {
  const Settings settings = parsed("");
  EXPECT_EQ(written(settings), written(Settings{}));
  EXPECT_TRUE(settings.gateway.routes.empty());
  EXPECT_TRUE(settings.route_retention.empty());
  EXPECT_TRUE(settings.auth.verifier.keys.empty());
  EXPECT_FALSE(settings.auth.open);
}

TEST(Settings, OfEveryKeyArriveWhereTheyAreUsed) {
  const Settings settings = parsed(R"(
[listen]
addresses = ["0.0.0.0:7788", "[::1]:0"]
tls_cert = "/etc/hub/cert.pem"
tls_key = "key.pem"
max_connections = 5
[auth]
audience = "hub"
issuer = "id"
[[auth.key]]
file = "secret"
algorithm = "HS256"
id = "a"
[[auth.key]]
file = "/jwks"
algorithm = "JWKS"
issuer = "https://id.example"
[backpressure]
enabled = false
dry_run = true
write_buffer_low_water_mark = "1KiB"
write_buffer_high_water_mark = "2KiB"
write_buffer_limit = "128KiB"
drop_when_unwritable = false
close_unwritable_after = "-1s"
ack_window_enabled = false
ack_window = "3KiB"
[rates]
enabled = false
connection = { messages_per_second = 10, message_burst = 20, bytes_per_second = "30KiB", byte_burst = "80KiB" }
[rates.user]
messages_per_second = 11
message_burst = 21
bytes_per_second = "31KiB"
byte_burst = "81KiB"
[admission]
enabled = false
max_handshakes = 6
per_address = 7
connections_per_second = 8
connection_burst = 9
retry_after_min = "2s"
retry_after_max = "3s"
[memory]
enabled = false
limit = "2MiB"
user_limit = "1MiB"
[fanout]
tick = "0s"
slice = 12
[heartbeat]
interval = "5s"
misses = 2
[session]
hello_timeout = "1s"
resume_window = "0s"
max_connections_per_user = 13
max_groups = 14
max_requests = 15
[store]
folder = "data"
bound = "64MiB"
max_age = "1d"
max_messages = 16
max_bytes = "1MiB"
[admin]
token_file = "admin"
[log]
level = "debug"
format = "json"
)",
                                   "/etc/sluice/hub.toml");
  EXPECT_EQ(settings.listen.addresses, (std::vector<std::string>{"0.0.0.0:7788", "[::1]:0"}));
  EXPECT_EQ(settings.listen.tls_cert, "/etc/hub/cert.pem");
  EXPECT_EQ(settings.listen.tls_key, "/etc/sluice/key.pem");
  EXPECT_EQ(settings.listen.max_connections, 5U);
  EXPECT_EQ(settings.auth.verifier.claims, (auth::ClaimRules{.audience = "hub", .issuer = "id"}));
  EXPECT_EQ(settings.auth.verifier.keys,
            (std::vector<auth::KeyFile>{
                {.path = "/etc/sluice/secret", .algorithm = auth::Algorithm::hs256, .id = "a"},
                {.path = "/jwks", .issuer = "https://id.example"}}));
  const ReceiverLimits& receiver = settings.gateway.receiver;
  EXPECT_FALSE(receiver.enabled);
  EXPECT_TRUE(receiver.dry_run);
  EXPECT_EQ(receiver.outbox.marks.low, 1_KiB);
  EXPECT_EQ(receiver.outbox.marks.high, 2_KiB);
  EXPECT_EQ(receiver.outbox.hard, 128_KiB);
  EXPECT_FALSE(receiver.outbox.drop_when_unwritable);
  EXPECT_EQ(receiver.close_unwritable_after, -1s);
  EXPECT_FALSE(receiver.window_enabled);
  EXPECT_EQ(receiver.window, 3_KiB);
  EXPECT_FALSE(settings.gateway.rates_enabled);
  const Rates& connection = settings.gateway.per_connection;
  EXPECT_EQ(connection.messages.tokens, 10U);
  EXPECT_EQ(connection.messages.burst, 20U);
  EXPECT_EQ(connection.bytes.tokens, 30U * 1024);
  EXPECT_EQ(connection.bytes.burst, 80U * 1024);
  const Rates& user = settings.gateway.per_user;
  EXPECT_EQ(user.messages.tokens, 11U);
  EXPECT_EQ(user.messages.burst, 21U);
  EXPECT_EQ(user.bytes.tokens, 31U * 1024);
  EXPECT_EQ(user.bytes.burst, 81U * 1024);
  EXPECT_FALSE(settings.admission.enabled);
  EXPECT_EQ(settings.admission.handshakes, 6U);
  EXPECT_EQ(settings.admission.per_address, 7U);
  EXPECT_EQ(settings.admission.connections_per_second, 8U);
  EXPECT_EQ(settings.admission.connection_burst, 9U);
  EXPECT_EQ(settings.admission.retry_after_min, 2s);
  EXPECT_EQ(settings.admission.retry_after_max, 3s);
  EXPECT_FALSE(settings.gateway.memory_enabled);
  EXPECT_EQ(settings.gateway.memory, 2_MiB);
  EXPECT_EQ(settings.gateway.user_memory, 1_MiB);
  EXPECT_EQ(settings.gateway.tick, 0s);
  EXPECT_EQ(settings.gateway.fanout_slice, 12U);
  EXPECT_EQ(settings.gateway.heartbeat, 5s);
  EXPECT_EQ(settings.heartbeat.misses, 2U);
  EXPECT_EQ(settings.gateway.hello_timeout, 1s);
  EXPECT_EQ(settings.gateway.resume_window, 0s);
  EXPECT_EQ(settings.gateway.connections_per_user, 13U);
  EXPECT_EQ(settings.gateway.groups_per_connection, 14U);
  EXPECT_EQ(settings.gateway.requests_per_connection, 15U);
  EXPECT_EQ(settings.store.folder, "/etc/sluice/data");
  EXPECT_EQ(settings.store.bound, 64_MiB);
  EXPECT_EQ(settings.store.kept, (Retention{.max_age = 24h, .max_messages = 16, .max_bytes = 1_MiB}));
  EXPECT_EQ(settings.admin.token_file, "/etc/sluice/admin");
  EXPECT_EQ(settings.log.level, observe::LogLevel::debug);
  EXPECT_EQ(settings.log.format, observe::LogConfig::Format::json);
}

TEST(Settings, OfUsersAreTwiceThoseOfAConnectionUnlessTold) {
  const Settings settings = parsed(R"(
[rates.connection]
messages_per_second = 100
bytes_per_second = "900MiB"
byte_burst = "1MiB"
[rates.user]
byte_burst = "1MiB"
)");
  const Rates& user = settings.gateway.per_user;
  EXPECT_EQ(user.messages.tokens, 200U);
  EXPECT_EQ(user.messages.burst, 2 * limits::kMessageBurst);
  EXPECT_EQ(user.bytes.tokens, flow::TokenRate::kLargest);
  EXPECT_EQ(user.bytes.burst, 1_MiB .count());
}

TEST(Settings, NameProxiesAndPlainAddresses) {
  const Settings settings = parsed(R"(
    [listen]
    plain = ["0.0.0.0:8080", "[::]:8080"]
    trusted_proxies = ["10.0.0.0/8", "fd00::1"]
    forwarding = "proxy-protocol"
  )");
  EXPECT_EQ(settings.listen.plain, (std::vector<std::string>{"0.0.0.0:8080", "[::]:8080"}));
  EXPECT_EQ(settings.listen.forwarding, transport::Forwarding::proxy_protocol);
  EXPECT_TRUE(parsed("[listen]\nplain = []\ntrusted_proxies = []").listen.trusted_proxies.empty());
}

TEST(Settings, OfProxiesAreRefusedWhenTheyMakeNoSense) {
  for (const char* const text :
       {"[listen]\nplain = [\"8080\"]", "[listen]\ntrusted_proxies = [\"proxy.example\"]",
        "[listen]\nforwarding = \"proxy-protocol\"",
        "[auth]\nopen = true\n[listen]\nplain = [\"0.0.0.0:80\"]", "[listen]\naddresses = []"}) {
    EXPECT_FALSE(parse_settings(text, "hub.toml")) << text;
  }
}

TEST(Settings, OfAnOpenHubListenOnLoopbackAlone) {
  const auto open_at = [](const std::string& address) {
    return "[auth]\nopen = true\n[listen]\naddresses = [\"" + address + "\"]";
  };
  for (const char* const near : {"127.0.0.1:1", "127.9.9.9:0", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(parsed(open_at(near)).auth.open) << near;
  }
  for (const char* const far :
       {"0.0.0.0:1", "[::]:1", "10.127.0.1:1", "12.7.0.1:1", "[::11]:1", "localhost.example:1"}) {
    EXPECT_NE(refusal_of(open_at(far)).find("loopback"), std::string::npos) << far;
  }
}

TEST(Settings, KeepPathsThatAreAbsoluteOrNone) {
  const Settings settings =
      parsed("[store]\nfolder = \":memory:\"\n[admin]\ntoken_file = \"\"", "/etc/hub.toml");
  EXPECT_EQ(settings.store.folder, ":memory:");
  EXPECT_EQ(settings.admin.token_file, "");
  EXPECT_EQ(parsed("[store]\nfolder = \"data\"").store.folder, "data");
}

// --- routes ---

constexpr std::string_view kRoutes = R"(
[[route]]
match = "group:ops.*"
class = "critical"
ttl = "30s"
max_messages = 5
[[route]]
match = "group:*"
policy = "conflate"
max_age = "1h"
max_bytes = "2KiB"
[[route]]
match = "all"
policy = "newest"
stored = false
[store]
max_messages = 7
)";

TEST(Settings, OfRoutesKeepTheirOrder) {
  const std::vector<Route> routes = parsed(kRoutes).gateway.routes;
  ASSERT_EQ(routes.size(), 3U);
  EXPECT_EQ(routes[0].match, "group:ops.*");
  EXPECT_EQ(routes[0].urgency, flow::Urgency::critical);
  EXPECT_EQ(routes[0].ttl, 30s);
  EXPECT_TRUE(routes[0].stored);
  EXPECT_EQ(routes[1].urgency, flow::Urgency::normal);
  EXPECT_EQ(routes[1].policy, flow::DropPolicy::conflate);
  EXPECT_FALSE(routes[1].ttl);
  EXPECT_EQ(routes[2].policy, flow::DropPolicy::newest);
  EXPECT_FALSE(routes[2].stored);
}

TEST(Settings, TellHowLongMessagesAreKept) {
  const Retentions kept{parsed(kRoutes)};
  const auto group = [](std::string name) {
    return Conversation{Conversation::Kind::group, std::move(name)};
  };
  const Retention others{.max_messages = 7};
  EXPECT_EQ(kept.of(group("ops.night")), (Retention{.max_messages = 5}));
  EXPECT_EQ(kept.of(group("dev")), (Retention{.max_age = 1h, .max_messages = 7, .max_bytes = 2_KiB}));
  EXPECT_EQ(kept.of({Conversation::Kind::all, ""}), others);
  EXPECT_EQ(kept.of({Conversation::Kind::user, "ann"}), others);
  EXPECT_EQ(Retentions{parsed("")}.of(group("dev")), Retention{});
}

TEST(Settings, WithoutClassesMakeEveryRouteNormal) {
  const Settings settings = parsed(std::string{kRoutes} + "[classes]\nenabled = false");
  EXPECT_FALSE(settings.classes_enabled);
  for (const Route& route : settings.gateway.routes) EXPECT_EQ(route.urgency, flow::Urgency::normal);
}

TEST(Settings, WithoutAStoreStoreNothing) {
  for (const std::string_view routes : {std::string_view{}, kRoutes}) {
    const std::string off =
        routes.empty() ? "[store]\nenabled = false" : std::string{routes} + "enabled = false";
    const Settings settings = parsed(off);
    const Routes chosen{settings.gateway.routes};
    for (const Conversation& to :
         {Conversation{Conversation::Kind::user, "ann"}, Conversation{Conversation::Kind::group, "ops.night"},
          Conversation{Conversation::Kind::group, "dev"}, Conversation{Conversation::Kind::all, ""}}) {
      EXPECT_FALSE(chosen.of(to).stored) << to.name;
      EXPECT_TRUE(Routes{parsed("").gateway.routes}.of(to).stored) << to.name;
    }
    EXPECT_EQ(settings.gateway.routes.size(), settings.route_retention.size());
  }
}

// --- what a running hub takes up ---

TEST(Settings, SayWhatNeedsARestart) {
  const Settings old = parsed("");
  EXPECT_TRUE(needs_restart(old, old).empty());
  const Settings fresh = parsed(R"(
[listen]
addresses = ["127.0.0.1:1"]
dev_cert = "x"
[auth]
open = true
[store]
folder = "y"
bound = "32MiB"
[heartbeat]
interval = "5s"
misses = 7
[admission]
per_address = 9
[memory]
limit = "1GiB"
[log]
level = "debug"
[[route]]
match = "all"
)");
  EXPECT_EQ(needs_restart(old, fresh),
            (std::vector<std::string>{"listen.addresses", "listen.dev_cert", "auth.open", "store.folder"}));
  EXPECT_EQ(needs_restart(fresh, old), needs_restart(old, fresh));
}

TEST(Settings, GoOnWithWhatNeedsARestartWhenTheyAreReloaded) {
  const Settings old =
      parsed("[listen]\naddresses = [\"0.0.0.0:1\"]\ndev_cert = \"x\"\n[heartbeat]\nmisses = 2");
  const Settings fresh = parsed(
      "[auth]\nopen = true\n[memory]\nlimit = \"1GiB\"\n[log]\nlevel = \"debug\"\n[[route]]\nmatch = "
      "\"all\"\n"
      "[rates.connection]\nbyte_burst = \"1MiB\"");
  const Settings now = reloaded(old, fresh);
  EXPECT_FALSE(now.auth.open);  // it still listens for everyone
  EXPECT_EQ(now.listen.addresses, std::vector<std::string>{"0.0.0.0:1"});
  EXPECT_EQ(now.heartbeat.misses, limits::kMissedPings);
  EXPECT_EQ(now.gateway.memory, 1024_MiB);
  EXPECT_EQ(now.gateway.per_connection.bytes.burst, 1_MiB .count());
  EXPECT_EQ(now.log.level, observe::LogLevel::debug);
  EXPECT_EQ(now.gateway.routes.size(), 1U);
  EXPECT_TRUE(needs_restart(old, now).empty());
}

TEST(Settings, AreTakenOverWholeByAssignment) {
  const Settings from = parsed(std::regex_replace(text_of(SLUICE_DOCS "/hub.toml"), std::regex{"2"}, "3"));
  Settings source = from;
  Settings to;
  const auto fields = fields_of(source);
  const auto into = fields_of(to);
  for (std::size_t i = 0; i < fields.size(); ++i) assign(into[i], fields[i]);
  EXPECT_EQ(written(to), written(from));
}

// --- files ---

class SettingsFile : public ::testing::Test {
 protected:
  SettingsFile() {
    std::string name = (fs::temp_directory_path() / "sluice-config-test-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~SettingsFile() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  [[nodiscard]] fs::path write(const std::string& text) const {
    std::ofstream{folder / "hub.toml"} << text;
    return folder / "hub.toml";
  }
  fs::path folder;
};

TEST_F(SettingsFile, IsLoaded) {
  const auto settings = load_settings(write("[store]\nfolder = \"data\""));
  ASSERT_TRUE(settings) << describe(settings.error());
  EXPECT_EQ(settings->store.folder, (folder / "data").string());
}

TEST_F(SettingsFile, IsNamedWhenItIsRefused) {
  const auto settings = load_settings(write("x = 1"));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message, (folder / "hub.toml").string() + ":1:1: there is no `x`");
}

TEST_F(SettingsFile, ThatCannotBeReadIsAnError) {
  EXPECT_EQ(load_settings(folder / "absent.toml").error().code, Errc::not_found);
  EXPECT_EQ(load_settings(folder).error().code, Errc::invalid_argument);
  EXPECT_EQ(load_settings(write(std::string(limits::kMaxSettingsFile.count() + 1, '#'))).error().code,
            Errc::limit_exceeded);
}

}  // namespace
}  // namespace sluice::hub::config
