#include "transport/websocket/server_pages.hpp"

#include <array>
#include <chrono>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "transport/websocket/server.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::on_shard;
using transport::HttpMethod;
using transport::HttpRequest;
using transport::HttpResponse;
using namespace std::chrono_literals;
using namespace literals;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr auto kCounted = AdmissionLimits::Loopback::as_others;

// --- which page

struct Named {
  void add(const std::string& path) {
    pages.add(path, {.options = {}, .handler = nullptr});
    names.emplace_back(path, pages.find(path));
  }
  std::string find(std::string_view path) const {
    const Page* page = pages.find(path);
    for (const auto& [name, known] : names) {
      if (page != nullptr && known == page) return name;
    }
    return "-";
  }
  Pages pages;
  std::vector<std::pair<std::string, const Page*>> names;
};

TEST(Pages, AreFoundByTheirPathAndThenByTheLongestBeginning) {
  Named pages;
  for (const char* path : {"/", "/v1/*", "/v1/clients/*", "/v1/clients/me", "/v1/groups"}) pages.add(path);
  EXPECT_EQ(pages.find("/"), "/");
  EXPECT_EQ(pages.find("/v1/clients/me"), "/v1/clients/me");
  EXPECT_EQ(pages.find("/v1/clients/me/"), "/v1/clients/*");
  EXPECT_EQ(pages.find("/v1/clients/7"), "/v1/clients/*");
  EXPECT_EQ(pages.find("/v1/clients/"), "/v1/clients/*");
  EXPECT_EQ(pages.find("/v1/clients"), "/v1/*");
  EXPECT_EQ(pages.find("/v1/groups/x"), "/v1/*");
  EXPECT_EQ(pages.find("/v1/"), "/v1/*");
  EXPECT_EQ(pages.find("/v1"), "-");
  EXPECT_EQ(pages.find("/v2/clients/7"), "-");
  EXPECT_EQ(pages.find(""), "-");
}

TEST(Pages, KeepTheLastOfAPath) {
  Pages pages;
  pages.add("/a/*", {.options = {.max_body = 1_B}, .handler = nullptr});
  pages.add("/a/*", {.options = {.max_body = 2_B}, .handler = nullptr});
  EXPECT_EQ(pages.find("/a/x")->options.max_body, 2_B);
}

// --- served

constexpr Bytes kMost{1'000};

/// What a handler was asked, to be compared at once.
std::string shown(const HttpRequest& request) {
  constexpr std::array kNames{"get", "post", "put", "patch", "del"};
  return std::string{kNames.at(static_cast<std::size_t>(request.method))} + " " + request.path + " ? " +
         request.query + " [" + request.authorization + "] " + request.remote_address + " " + request.body;
}

struct Fixture {
  explicit Fixture(asio::io_context& shard, ServerOptions options = {}) : executor(shard.get_executor()) {
    auto created = Server::create(executor, std::move(options));
    EXPECT_TRUE(created) << (created ? "" : describe(created.error()));
    server = std::move(*created);
    server->on_page(
        "/v1/things/*",
        {.methods = {HttpMethod::get, HttpMethod::post, HttpMethod::put, HttpMethod::patch, HttpMethod::del},
         .max_body = kMost},
        [this](HttpRequest request) -> asio::awaitable<HttpResponse> {
          asio::steady_timer pause{executor, 1ms};
          co_await pause.async_wait(asio::use_awaitable);
          asked.push_back(shown(request));
          HttpResponse response = next;
          response.body = request.body;
          co_return response;
        });
    server->on_page("/v1/post", {.methods = {HttpMethod::post, HttpMethod::del}, .max_body = 3_B},
                    [](HttpRequest) -> asio::awaitable<HttpResponse> {
                      HttpResponse response;
                      co_return response;
                    });
    server->on_page("/v1/slow", {}, [this](HttpRequest) -> asio::awaitable<HttpResponse> {
      asio::steady_timer never{executor, testing::kPatience};
      ++slow;
      slow_changed.notify();
      const auto [error] = co_await never.async_wait(kAwait);
      slow_ended = error;
      HttpResponse response;
      co_return response;
    });
    server->on_page("/v1/giving-up", {}, [](HttpRequest) -> asio::awaitable<HttpResponse> {
      throw boost::system::system_error{asio::error::operation_aborted};
      co_return HttpResponse{};
    });
    server->on_get("/healthz", [](const HttpRequest&) { return HttpResponse{.body = "fine"}; });
    auto bound = server->listen({.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(bound) << (bound ? "" : describe(bound.error()));
    endpoint = {asio::ip::make_address("127.0.0.1"), parse_url(*bound)->port};
  }
  /// Sends that and returns all that comes back until the server hangs up.
  asio::awaitable<std::string> exchange(std::string request) {
    tcp::socket socket{executor};
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(request), kAwait);
    std::string answer;
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
    co_return answer;
  }
  asio::awaitable<std::string> status(std::string request) {
    const std::string answer = co_await exchange(std::move(request));
    co_return answer.starts_with("HTTP/1.1 ") ? answer.substr(9, 3) : answer;
  }

  asio::any_io_executor executor;
  HttpResponse next;
  std::vector<std::string> asked;
  int slow = 0;
  runtime::WakeUp slow_changed{executor};
  boost::system::error_code slow_ended;
  std::unique_ptr<Server> server;
  tcp::endpoint endpoint;
};

std::string with_length(std::string_view method, std::string_view body) {
  return std::string{method} +
         " /v1/things/7?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string{body};
}

std::string in_chunks(std::string_view chunks) {
  return "POST /v1/things/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{chunks};
}

TEST(ServerPages, TellTheHandlerWhatWasAsked) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
      const std::string answer = co_await fixture.exchange(with_length(method, "body"));
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
      EXPECT_TRUE(answer.ends_with("\r\n\r\nbody")) << answer;
    }
    const std::string plain = co_await fixture.exchange(
        "DELETE /v1/things/a%2Fb/c HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc==\r\n\r\n");
    EXPECT_TRUE(plain.starts_with("HTTP/1.1 200")) << plain;
    EXPECT_EQ(fixture.asked,
              (std::vector<std::string>{
                  "get /v1/things/7 ? a=b [] 127.0.0.1 body", "post /v1/things/7 ? a=b [] 127.0.0.1 body",
                  "put /v1/things/7 ? a=b [] 127.0.0.1 body", "patch /v1/things/7 ? a=b [] 127.0.0.1 body",
                  "del /v1/things/7 ? a=b [] 127.0.0.1 body",
                  "del /v1/things/a%2Fb/c ?  [Bearer abc==] 127.0.0.1 "}));
    EXPECT_EQ(fixture.server->count(ServerCount::answered), 6U);
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 0U);
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, TakeABodyInPiecesAndInChunks) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const std::string full(kMost.count(), 'f');
    const std::string three = "5;x=y\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n";
    std::string single;
    for (const char c : full) single += "1\r\n" + std::string{c} + "\r\n";
    struct Case {
      std::string request;
      std::string body;
    };
    const std::vector<Case> cases{{in_chunks("0\r\n\r\n"), ""},
                                  {in_chunks(three), "hello, world"},
                                  {in_chunks(single + "0\r\n\r\n"), full},
                                  {with_length("PUT", full), full}};
    for (const Case& one : cases) {
      const std::string answer = co_await fixture.exchange(one.request);
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
      EXPECT_TRUE(answer.ends_with("\r\n\r\n" + one.body)) << answer;
    }
    // Byte by byte it is the same.
    const std::string request = in_chunks(three);
    tcp::socket socket{fixture.executor};
    co_await socket.async_connect(fixture.endpoint, asio::use_awaitable);
    socket.set_option(tcp::no_delay{true});
    for (const char& c : request) {
      co_await asio::async_write(socket, asio::buffer(&c, 1), kAwait);
      co_await asio::post(fixture.executor, asio::use_awaitable);
    }
    std::string answer;
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello, world")) << answer;
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, RefuseABodyThatIsTooLarge) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    // Nothing of it has to come: its length is enough.
    const std::string announced = co_await fixture.exchange(
        "POST /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_TRUE(announced.starts_with("HTTP/1.1 413")) << announced;
    EXPECT_NE(announced.find("1000 bytes"), std::string::npos) << announced;
    const std::string huge = co_await fixture.status(
        "POST /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n");
    EXPECT_EQ(huge, "413");
    const std::string filling(1'001, 'f');
    const std::string one = co_await fixture.status(in_chunks("3E9\r\n" + filling));
    EXPECT_EQ(one, "413");
    std::string small = "POST /v1/post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 4; ++i) small += "1\r\nx\r\n";
    const std::string four = co_await fixture.status(small);
    EXPECT_EQ(four, "413");
    const std::string get =
        co_await fixture.status("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    EXPECT_EQ(get, "413");
    EXPECT_TRUE(fixture.asked.empty());
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 5U);
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, AskForABodyThatWaitsToBeAskedFor) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    tcp::socket socket{fixture.executor};
    co_await socket.async_connect(fixture.endpoint, asio::use_awaitable);
    const std::string head =
        "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(head), kAwait);
    std::string answer;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(answer), "\r\n\r\n", kAwait);
    EXPECT_EQ(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    co_await asio::async_write(socket, asio::buffer("body", 4), kAwait);
    answer.clear();
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200") && answer.ends_with("body")) << answer;
    // Nobody asks whom it does not want.
    const std::string unwanted = co_await fixture.exchange(
        "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_TRUE(unwanted.starts_with("HTTP/1.1 405")) << unwanted;
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, EndABodyThatDoesNotCome) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard,
                    {.tls = {}, .limits = {.admission = {.request = {.longest = 200ms, .shortest = 200ms}}}}};
    const std::string head = "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbod";
    const std::string nothing = co_await fixture.exchange(head);
    EXPECT_EQ(nothing, "");
    EXPECT_EQ(fixture.server->count(ServerCount::timed_out), 1U);
    // Nor does it help to trickle.
    tcp::socket socket{fixture.executor};
    co_await socket.async_connect(fixture.endpoint, asio::use_awaitable);
    const std::string begun = in_chunks("");
    co_await asio::async_write(socket, asio::buffer(begun), kAwait);
    asio::steady_timer pause{fixture.executor};
    int sent = 0;
    for (boost::system::error_code error; !error && sent < 1'000; ++sent) {
      pause.expires_after(20ms);
      co_await pause.async_wait(asio::use_awaitable);
      std::tie(error, std::ignore) =
          co_await asio::async_write(socket, asio::buffer("1\r\nx\r\n", 6), kAwait);
    }
    EXPECT_LT(sent, 1'000);
    EXPECT_EQ(fixture.server->count(ServerCount::timed_out), 2U);
    // One that hangs up within it is no longer there to be told.
    tcp::socket leaving{fixture.executor};
    co_await leaving.async_connect(fixture.endpoint, asio::use_awaitable);
    co_await asio::async_write(leaving, asio::buffer(head), kAwait);
    leaving.close();
    while (fixture.server->connections() > 0) {
      pause.expires_after(1ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 1U);
    EXPECT_TRUE(fixture.asked.empty());
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, CountABodyThatIsOnItsWayAsAHandshake) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.tls = {}, .limits = {.admission = {.handshakes = 1, .loopback = kCounted}}}};
    tcp::socket slow{fixture.executor};
    co_await slow.async_connect(fixture.endpoint, asio::use_awaitable);
    const std::string head =
        "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    co_await asio::async_write(slow, asio::buffer(head), kAwait);
    std::string answer;
    co_await asio::async_read_until(slow, asio::dynamic_buffer(answer), "\r\n\r\n", kAwait);
    answer.clear();
    const std::string taken = co_await fixture.status("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(taken, "200") << "it has the slot now";
    EXPECT_EQ(fixture.server->count(ServerCount::gave_way), 1U);
    co_await asio::async_read_until(slow, asio::dynamic_buffer(answer), "\r\n\r\n", kAwait);
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 503");
    slow.close();
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, SayWhichMethodsThereAre) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const auto allowed = [&](std::string line) -> asio::awaitable<std::string> {
      const std::string answer = co_await fixture.exchange(std::move(line) + " HTTP/1.1\r\nHost: x\r\n\r\n");
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 405")) << answer;
      const auto from = answer.find("Allow: ");
      if (from == std::string::npos) co_return std::string{};
      co_return answer.substr(from + 7, answer.find("\r\n", from) - from - 7);
    };
    const std::string page = co_await allowed("GET /v1/post");
    EXPECT_EQ(page, "POST, DELETE");
    const std::string head = co_await allowed("HEAD /v1/post");
    EXPECT_EQ(head, "POST, DELETE");
    const std::string unknown = co_await allowed("BREW /v1/post");
    EXPECT_EQ(unknown, "POST, DELETE");
    const std::string options = co_await allowed("OPTIONS /healthz");
    EXPECT_EQ(options, "GET, HEAD");
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), 4U);
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, KeepTheBodyToThemselvesWhenAskedForTheHead) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const std::string head = co_await fixture.exchange("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n")) << head;
    EXPECT_NE(head.find("Content-Length: 4\r\n"), std::string::npos) << head;
    const std::string waited = co_await fixture.exchange(with_length("HEAD", "body"));
    EXPECT_TRUE(waited.starts_with("HTTP/1.1 200") && waited.ends_with("\r\n\r\n")) << waited;
    EXPECT_EQ(fixture.asked.size(), 1U);
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, SendTheHandlersHeaders) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    fixture.next = {.status = 401,
                    .content_type = "text/plain",
                    .headers = {{.name = "WWW-Authenticate", .value = "Bearer realm=\"hub\""},
                                {.name = "Retry-After", .value = "7"},
                                {.name = "X-Told", .value = "a\r\nSet-Cookie: b\td"}}};
    const std::string answer = co_await fixture.exchange(with_length("PUT", "who?"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nWWW-Authenticate: Bearer realm=\"hub\"\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\nRetry-After: 7\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\nX-Told: a  Set-Cookie: b"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("\r\nSet-Cookie"), std::string::npos) << answer;
    EXPECT_EQ(fixture.server->count(ServerCount::answered), 1U);
    fixture.next = {.status = 204, .headers = {{.name = "Content-Length", .value = "4"}}};
    const std::string none = co_await fixture.exchange(with_length("PUT", "body"));
    EXPECT_TRUE(none.starts_with("HTTP/1.1 204") && none.ends_with("\r\n\r\n")) << none;
    EXPECT_EQ(none.find("\r\nContent-"), std::string::npos) << none;
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, GiveAHandlerSoMuchTime) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard, {.tls = {}, .limits = {.page = 50ms}}};
    const std::string status = co_await fixture.status("GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status, "503");
    EXPECT_EQ(fixture.slow_ended, asio::error::operation_aborted);
    EXPECT_EQ(fixture.server->count(ServerCount::unanswered), 1U);
    const std::string without = co_await fixture.status("GET /v1/giving-up HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(without, "503");
    EXPECT_EQ(fixture.server->count(ServerCount::unanswered), 2U);
    EXPECT_EQ(fixture.server->count(ServerCount::answered), 0U);
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, CancelTheirHandlersWhenTheServerStops) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    std::list<tcp::socket> clients;
    for (int i = 0; i < 3; ++i) {
      co_await clients.emplace_back(fixture.executor).async_connect(fixture.endpoint, asio::use_awaitable);
      const std::string request = "GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n";
      co_await asio::async_write(clients.back(), asio::buffer(request), kAwait);
    }
    while (fixture.slow < 3) co_await fixture.slow_changed.wait();
    const auto before = std::chrono::steady_clock::now();
    co_await fixture.server->stop("over");
    EXPECT_LT(std::chrono::steady_clock::now() - before, limits::kLinkCloseTimeout);
    EXPECT_EQ(fixture.slow_ended, asio::error::operation_aborted);
    EXPECT_EQ(fixture.server->connections(), 0U);
    EXPECT_EQ(fixture.server->count(ServerCount::unanswered), 0U);
  });
}

TEST(ServerPages, RefuseWhatCanBeReadInTwoWays) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{shard};
    const std::string start = "POST /v1/things/7 HTTP/1.1\r\nHost: x\r\n";
    const std::vector<std::string> broken{
        start + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        start + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        start + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
        start + "Content-Length: -4\r\n\r\nbody",
        start + "Content-Length: 4x\r\n\r\nbody",
        start + "Content-Length: 99999999999999999999\r\n\r\nbody",
        start + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        in_chunks("xyz\r\nhello"),
        in_chunks("-1\r\nhello"),
        in_chunks("FFFFFFFFFFFFFFFFFF\r\nhello"),
        in_chunks("5\r\nhelloAND MORE\r\n0\r\n\r\n"),
        in_chunks("5;" + std::string(20'000, 'x')),
        in_chunks("0\r\n" + std::string(20'000, 'x'))};
    for (const std::string& request : broken) {
      const std::string status = co_await fixture.status(request);
      EXPECT_EQ(status, "400") << request.substr(0, 200);
    }
    EXPECT_TRUE(fixture.asked.empty());
    EXPECT_EQ(fixture.server->count(ServerCount::bad_request), broken.size());
    co_await fixture.server->stop("over");
  });
}

TEST(ServerPages, OutliveGarbage) {
  on_shard([](asio::io_context& shard) -> asio::awaitable<void> {
    Fixture fixture{
        shard,
        {.tls = {}, .limits = {.admission = {.request = {.longest = 5s, .shortest = 5s}}, .linger = 200ms}}};
    std::mt19937 random{20260};  // the same bytes each time
    const std::array<std::string, 4> good{
        with_length("PUT", "body"), in_chunks("5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"),
        "GET /healthz?q HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/post HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"};
    const std::string telling{"\r\n\0: ;0fF/%*\x80\xFF\t,", 16};
    for (int i = 0; i < 600; ++i) {
      std::string request = good.at(random() % good.size());
      for (auto changes = random() % 6; changes > 0; --changes) {
        const std::size_t at = random() % request.size();
        const char with = telling[random() % telling.size()];
        switch (random() % 4) {
          case 0:
            request[at] = with;
            break;
          case 1:
            request.insert(at, 1, with);
            break;
          case 2:
            request.erase(at, 1 + random() % 3);
            if (request.empty()) request = "x";
            break;
          default:
            request.insert(at, request.substr(random() % request.size(), random() % 40));
        }
      }
      tcp::socket socket{fixture.executor};
      co_await socket.async_connect(fixture.endpoint, asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(request), kAwait);
      boost::system::error_code ignored;
      socket.shutdown(asio::socket_base::shutdown_send, ignored);  // there is no more
      std::string answer;
      co_await asio::async_read(socket, asio::dynamic_buffer(answer), kAwait);
      EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.")) << request << "\n--\n" << answer;
    }
    const std::string still = co_await fixture.status("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(still, "200");
    for (const std::string& asked : fixture.asked)
      EXPECT_LE(asked.size(), kMost.count() + limits::kHttpHeader.count());
    co_await fixture.server->stop("over");
    EXPECT_EQ(fixture.server->connections(), 0U);
  });
}

}  // namespace
}  // namespace sluice::websocket
