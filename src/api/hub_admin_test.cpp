#include "api/hub_admin.hpp"

#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/hub_server.hpp"
#include "client/messaging/hub_client.hpp"
#include "runtime/task_scope.hpp"
#include "transport/websocket/http_client.hpp"
#include "transport/websocket/socket_client.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using transport::HttpMethod;
using websocket::testing::on_shard;
using namespace std::chrono_literals;

constexpr std::string_view kToken = "0123456789abcdef";

/// An open hub in memory, and whoever administrates it.
struct Fixture {
  explicit Fixture(asio::io_context& shard, std::string_view settings = {}) : executor(shard.get_executor()) {
    std::ofstream{token_file} << kToken << '\n';
    std::filesystem::permissions(token_file, std::filesystem::perms::owner_read);
    auto parsed = hub::config::parse_settings(settings, "hub.toml");
    EXPECT_TRUE(parsed) << describe(parsed.error());
    parsed->auth.open = true;
    parsed->admin.token_file = token_file;
    HubOptions options{.listen = {"127.0.0.1:0"}, .version = "1.2.3", .admin_token_file = token_file};
    options.messaging = {.settings = std::move(*parsed), .shards = 2};
    options.on_changed = [this](const hub::config::Settings&) { ++changes; };
    hub.emplace(executor, std::move(options));
    auto started = hub->start();
    EXPECT_TRUE(started) << (started ? "" : describe(started.error()));
    url = started ? started->urls.at(0) : "";
  }

  struct Answered {
    unsigned status = 0;
    json::value body{};
  };
  asio::awaitable<Answered> ask(HttpMethod method, std::string path, std::string body = {},
                                std::string authorization = "Bearer " + std::string{kToken}) {
    websocket::HttpCall call{.method = method,
                             .target = std::move(path),
                             .authorization = std::move(authorization),
                             .body = std::move(body)};
    const auto answer = co_await websocket::fetch(url, std::move(call));
    EXPECT_TRUE(answer) << (answer ? "" : describe(answer.error()));
    if (!answer) co_return Answered{};
    Answered answered{.status = answer->status};
    boost::system::error_code broken;
    answered.body = json::parse(answer->body, broken);
    EXPECT_FALSE(broken) << answer->body;
    co_return answered;
  }
  asio::awaitable<Answered> get(std::string path) {
    std::string none;
    std::string token = "Bearer " + std::string{kToken};
    co_return co_await ask(HttpMethod::get, std::move(path), std::move(none), std::move(token));
  }
  asio::awaitable<Answered> with(HttpMethod method, std::string path, std::string body) {
    std::string token = "Bearer " + std::string{kToken};
    co_return co_await ask(method, std::move(path), std::move(body), std::move(token));
  }

  /// What is known of a session that was told to go, once its user's home has heard of its end.
  asio::awaitable<Answered> ended_session(std::string session) {
    const std::string path = "/v1/admin/sessions/" + session;
    asio::steady_timer timer{executor};
    for (int tries = 0; tries < 200; ++tries) {
      auto answered = co_await get(path);
      if (answered.status == 200 && answered.body.as_object().contains("ended")) co_return answered;
      timer.expires_after(std::chrono::milliseconds{10});
      co_await timer.async_wait(asio::use_awaitable);
    }
    ADD_FAILURE() << "the end of " << session << " was never remembered";
    co_return Answered{.body = json::object{{"user", ""}, {"ended", json::object{{"reason", ""}}}}};
  }

  asio::any_io_executor executor;
  websocket::testing::TemporaryFolder folder;
  std::filesystem::path token_file = folder.path() / "token";
  std::optional<HubServer> hub;
  std::string url;
  int changes = 0;
};

asio::awaitable<transport::SocketAttempt> dial(std::shared_ptr<websocket::SocketClient> client,
                                               std::string url) {
  websocket::SocketConnectOptions options{.path = "/v1/hub"};
  options.subprotocols.push_back({.name = std::string{wire::hub::kJsonSubprotocol}});
  co_return co_await client->connect(std::move(url), std::move(options));
}

/// A user who stays connected until he is told to go.
class User {
 public:
  User(const Fixture& fixture, std::string name)
      : client_(fixture.executor,
                [client = std::make_shared<websocket::SocketClient>(), url = fixture.url](messaging::Visit) {
                  return dial(client, url);
                },
                {.user = std::move(name)}),
        tasks_(fixture.executor) {
    tasks_.spawn(client_.run());
  }
  asio::awaitable<wire::hub::Welcome> welcome() {
    for (;;) {
      auto event = client_.poll();
      if (!event) {
        co_await client_.wait();
      } else if (auto* connected = std::get_if<messaging::Connected>(&*event)) {
        co_return std::move(connected->welcome);
      }
    }
  }
  /// Why the hub has ended it for good.
  asio::awaitable<std::string> over() {
    for (;;) {
      auto event = client_.poll();
      if (!event) {
        co_await client_.wait();
      } else if (auto* over = std::get_if<messaging::Over>(&*event)) {
        co_return over->why.message;
      }
    }
  }
  asio::awaitable<void> leave() {
    tasks_.cancel();
    co_await tasks_.join();
  }

 private:
  messaging::HubClient client_;
  runtime::TaskScope tasks_;
};

std::string text(const json::value& value, std::string_view key) {
  return std::string{value.at(key).as_string()};
}

TEST(HubAdmin, TellsNothingWithoutItsToken) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    for (std::string shown : {"", "Bearer 0123456789abcdeF", "Basic 0123456789abcdef"}) {
      std::string path = "/v1/admin/status";
      std::string none;
      const auto answer =
          co_await fixture.ask(HttpMethod::get, std::move(path), std::move(none), std::move(shown));
      EXPECT_EQ(answer.status, 401U);
      EXPECT_EQ(text(answer.body, "reason"), "unauthenticated");
    }
    std::string path = "/v1/admin/status";
    const auto status = co_await fixture.get(std::move(path));
    EXPECT_EQ(status.status, 200U);
    EXPECT_EQ(status.body.at("unauthorized").as_int64(), 3);
    EXPECT_TRUE(status.body.at_pointer("/messaging/books/balanced").as_bool());
    co_await fixture.hub->stop();
  });
}

TEST(HubAdmin, IsNotThereWithoutATokenAndComesWithAReload) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    hub::config::Settings settings;
    settings.auth.open = true;
    EXPECT_TRUE(fixture.hub->reload(settings));
    std::string path = "/v1/admin/status";
    const auto gone = co_await fixture.get(path);
    EXPECT_EQ(gone.status, 404U);
    settings.admin.token_file = fixture.folder.path() / "none";
    EXPECT_FALSE(fixture.hub->reload(settings));
    settings.admin.token_file = fixture.token_file;
    EXPECT_TRUE(fixture.hub->reload(settings));
    const auto back = co_await fixture.get(path);
    EXPECT_EQ(back.status, 200U);
    co_await fixture.hub->stop();
  });
}

TEST(HubAdmin, ListsClientsAndKicksThem) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    User ann{fixture, "ann/x"};
    User bob{fixture, "bob"};
    const auto welcome = co_await ann.welcome();
    const std::string bob_session = (co_await bob.welcome()).session;
    std::string path = "/v1/admin/clients?user=ann%2Fx";
    const auto listed = co_await fixture.get(std::move(path));
    EXPECT_EQ(listed.status, 200U);
    EXPECT_EQ(listed.body.at("clients").as_array().size(), 1U);
    const json::value& client = listed.body.at("clients").at(0);
    EXPECT_EQ(text(client, "user"), "ann/x");
    EXPECT_EQ(text(client, "session"), welcome.session);
    EXPECT_EQ(client.at_pointer("/pressure/bytesBeforeUnwritable").as_int64(), 65'536);
    path = "/v1/admin/clients?limit=1";
    const auto first = co_await fixture.get(std::move(path));
    EXPECT_EQ(first.body.at("clients").as_array().size(), 1U);
    EXPECT_TRUE(first.body.at("more").as_bool());
    path = "/v1/admin/clients/" + text(client, "id");
    const auto one = co_await fixture.get(path);
    EXPECT_TRUE(one.body.at("history").is_array());
    std::string none;
    path += "?message=go%20away";
    const auto kicked = co_await fixture.with(HttpMethod::del, path, none);
    EXPECT_EQ(kicked.body.at("kicked").as_int64(), 1);
    const std::string told = co_await ann.over();
    EXPECT_THAT(told, HasSubstr("go away"));
    const auto session = co_await fixture.ended_session(welcome.session);
    EXPECT_EQ(text(session.body, "user"), "ann/x");
    EXPECT_EQ(session.body.at_pointer("/ended/reason").as_string(), "kicked");
    EXPECT_FALSE(session.body.as_object().contains("client"));
    path = "/v1/admin/sessions/" + bob_session;
    const auto present = co_await fixture.get(path);
    EXPECT_EQ(text(present.body, "user"), "bob");
    EXPECT_FALSE(present.body.as_object().contains("ended"));
    path = "/v1/admin/users/bob";
    const auto user = co_await fixture.with(HttpMethod::del, path, none);
    EXPECT_EQ(user.body.at("kicked").as_int64(), 1);
    co_await ann.leave();
    co_await bob.leave();
    co_await fixture.hub->stop();
  });
}

TEST(HubAdmin, ChangesSettingsUntilTheNextReload) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, "[memory]\nlimit = \"64MiB\""};
    std::string path = "/v1/admin/settings";
    const auto before = co_await fixture.get(path);
    EXPECT_EQ(before.body.at_pointer("/settings/memory.limit/value").as_string(), "64MiB");
    std::string body =
        "[backpressure]\ndry_run = true\n[heartbeat]\nmisses = 5\n[listen]\nmax_connections = "
        "9\n[[route]]\nmatch = "
        "\"group:ops\"\n";
    const auto changed = co_await fixture.with(HttpMethod::patch, path, std::move(body));
    EXPECT_EQ(changed.status, 200U);
    EXPECT_THAT(changed.body.at("applied").as_array(),
                ElementsAre("backpressure.dry_run", "heartbeat.misses", "route"));
    EXPECT_THAT(changed.body.at("needsRestart").as_array(), ElementsAre("listen.max_connections"));
    EXPECT_EQ(fixture.changes, 1);
    const auto after = co_await fixture.get(path);
    EXPECT_TRUE(after.body.at_pointer("/settings/backpressure.dry_run/value").as_bool());
    EXPECT_EQ(after.body.at_pointer("/settings/backpressure.dry_run/applies").as_string(), "live");
    EXPECT_EQ(after.body.at_pointer("/settings/heartbeat.misses/value").as_int64(), 5);
    EXPECT_EQ(after.body.at_pointer("/settings/listen.max_connections/value").as_int64(), 10'000);
    EXPECT_EQ(after.body.at_pointer("/routes/0/match").as_string(), "group:ops");
    body = "[memory]\nlimits = 3";
    const auto refused = co_await fixture.with(HttpMethod::patch, path, std::move(body));
    EXPECT_EQ(refused.status, 400U);
    EXPECT_THAT(text(refused.body, "message"), HasSubstr("settings:2:1: there is no `memory.limits`"));
    EXPECT_EQ(fixture.changes, 1);
    co_await fixture.hub->stop();
  });
}

TEST(HubAdmin, SaysWhatIsWrongWithARequest) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    struct Case {
      HttpMethod method;
      std::string path;
      unsigned status;
      std::string reason;
    };
    const std::vector<Case> cases = {
        {HttpMethod::get, "/v1/admin/", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/nothing", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/status/x", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/clients/", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/clients/0-99", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/clients/9-1", 404, "not_found"},
        {HttpMethod::get, "/v1/admin/clients/70000-1", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/clients/ann", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/clients/%zz", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/clients?limit=0", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/clients?limit=10001", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/clients?users=ann", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/sessions/ff", 404, "not_found"},
        {HttpMethod::del, "/v1/admin/users/ann", 404, "not_found"},
        {HttpMethod::del, "/v1/admin/users/ann?message=%00", 400, "bad_request"},
        {HttpMethod::del, "/v1/admin/clients/0-1?message=%00", 400, "bad_request"},
        {HttpMethod::get, "/v1/admin/users/ann", 405, "method_not_allowed"},
        {HttpMethod::del, "/v1/admin/settings", 405, "method_not_allowed"},
        {HttpMethod::patch, "/v1/admin/status", 405, "method_not_allowed"}};
    for (const Case& wrong : cases) {
      std::string none;
      std::string path = wrong.path;
      const auto answer = co_await fixture.with(wrong.method, std::move(path), std::move(none));
      EXPECT_EQ(answer.status, wrong.status) << wrong.path;
      EXPECT_EQ(text(answer.body, "reason"), wrong.reason) << wrong.path;
      EXPECT_FALSE(text(answer.body, "message").empty());
    }
    co_await fixture.hub->stop();
  });
}

TEST(HubAdmin, KnowsOnlyItsStatusWithoutMessaging) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    co_await fixture.hub->stop();
    HubOptions options{.listen = {"127.0.0.1:0"}, .version = "1", .admin_token_file = fixture.token_file};
    fixture.hub.emplace(fixture.executor, std::move(options));
    fixture.url = fixture.hub->start()->urls.at(0);
    std::string path = "/v1/admin/status";
    const auto status = co_await fixture.get(std::move(path));
    EXPECT_EQ(status.status, 200U);
    EXPECT_FALSE(status.body.as_object().contains("messaging"));
    path = "/v1/admin/clients";
    const auto clients = co_await fixture.get(std::move(path));
    EXPECT_EQ(text(clients.body, "reason"), "no_messaging");
    co_await fixture.hub->stop();
  });
}

}  // namespace
}  // namespace sluice::api
