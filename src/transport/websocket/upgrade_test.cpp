#include "transport/websocket/upgrade.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <gtest/gtest.h>

namespace sluice::websocket {
namespace {

namespace http = boost::beast::http;
using Accepts = FrameReaderOptions::Accepts;
const std::vector<Subprotocol> kSpoken{{.name = "sluice.v1.proto", .messages = Accepts::binary},
                                       {.name = "sluice.v1.json", .messages = Accepts::text}};

// RFC 6455 §1.2.
constexpr std::string_view kGood =
    "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, "
    "Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

Request parse(std::string text) {
  text += "\r\n";
  http::request_parser<http::empty_body> parser;
  boost::system::error_code error;
  parser.put(boost::asio::buffer(text), error);
  EXPECT_FALSE(error) << error.message();
  return parser.release();
}

std::string without(std::string_view line) {
  std::string text{kGood};
  const auto at = text.find(line);
  EXPECT_NE(at, std::string::npos);
  text.erase(at, text.find("\r\n", at) + 2 - at);
  return text;
}

std::string with(std::string_view line, std::string_view instead) {
  return without(line) + std::string{instead} + "\r\n";
}

unsigned status(const std::string& request, const std::vector<Subprotocol>& spoken = {}) {
  const auto switched = switch_protocols(parse(request), spoken);
  return switched ? 101 : switched.error().result_int();
}

TEST(Upgrade, AnswersAsTheStandardDoes) {
  const auto switched = switch_protocols(parse(std::string{kGood}), {});
  ASSERT_TRUE(switched);
  EXPECT_EQ(switched->response.result_int(), 101U);
  EXPECT_EQ(switched->response["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(switched->response["Upgrade"], "websocket");
  EXPECT_EQ(switched->response["Connection"], "Upgrade");
  EXPECT_FALSE(switched->response.count("Sec-WebSocket-Protocol"));
  EXPECT_FALSE(switched->subprotocol);
  const ByteBuffer bytes = encode(switched->response);
  EXPECT_TRUE(as_text(bytes).starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_TRUE(as_text(bytes).ends_with("\r\n\r\n"));
}

TEST(Upgrade, ChoosesWhatTheServerLikesBest) {
  const auto chosen = [](std::string_view offer) {
    const auto switched = switch_protocols(parse(std::string{kGood} + std::string{offer}), kSpoken);
    EXPECT_TRUE(switched);
    if (!switched) return std::string{};
    EXPECT_EQ(switched->response["Sec-WebSocket-Protocol"], switched->subprotocol->name);
    return switched->subprotocol->name;
  };
  EXPECT_EQ(chosen("Sec-WebSocket-Protocol: sluice.v1.json\r\n"), "sluice.v1.json");
  EXPECT_EQ(chosen("Sec-WebSocket-Protocol: other, sluice.v1.json , sluice.v1.proto\r\n"), "sluice.v1.proto");
  EXPECT_EQ(chosen("Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: sluice.v1.proto\r\n"),
            "sluice.v1.proto");
}

TEST(Upgrade, RefusesAClientThatSpeaksNothingOfIt) {
  EXPECT_EQ(status(std::string{kGood}, kSpoken), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Sec-WebSocket-Protocol: sluice.v2.json\r\n", kSpoken), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Sec-WebSocket-Protocol: SLUICE.V1.JSON\r\n", kSpoken), 400U);
}

TEST(Upgrade, RefusesWhatIsNoUpgrade) {
  EXPECT_EQ(status(without("Upgrade: websocket")), 426U);
  EXPECT_EQ(status(without("Connection:")), 426U);
  EXPECT_EQ(status(with("Upgrade: websocket", "Upgrade: h2c")), 426U);
  EXPECT_EQ(status(with("Connection:", "Connection: close")), 426U);
  EXPECT_EQ(status(with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8")), 426U);
  EXPECT_EQ(status(without("Sec-WebSocket-Version")), 426U);
  const auto refused = switch_protocols(parse(without("Upgrade: websocket")), {});
  EXPECT_EQ(refused.error()["Sec-WebSocket-Version"], "13");
  EXPECT_EQ(refused.error()["Upgrade"], "websocket");
}

TEST(Upgrade, RefusesABrokenRequest) {
  EXPECT_EQ(status(without("Host:")), 400U);
  EXPECT_EQ(status(without("Sec-WebSocket-Key")), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400U);
  for (const std::string_view key :
       {"", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQxx", "dGhlIHNhbXBsZS*ub25jZQ=="}) {
    EXPECT_EQ(status(with("Sec-WebSocket-Key", "Sec-WebSocket-Key: " + std::string{key})), 400U) << key;
  }
  std::string old{kGood};
  old.replace(old.find("HTTP/1.1"), 8, "HTTP/1.0");
  EXPECT_EQ(status(old), 400U);
  std::string post{kGood};
  post.replace(0, 3, "PUT");
  EXPECT_EQ(status(post), 405U);
  EXPECT_EQ(status(std::string{kGood}), 101U);
}

TEST(Upgrade, ReadsSeveralLinesOfAListAsOne) {
  for (const std::string_view lines :
       {"Connection: keep-alive\r\nConnection: Upgrade", "Connection: Upgrade\r\nConnection: keep-alive",
        "Connection: x, y\r\nConnection: z , upgrade"}) {
    EXPECT_EQ(status(with("Connection:", lines)), 101U) << lines;
  }
  EXPECT_EQ(status(with("Connection:", "Connection: keep-alive\r\nConnection: close")), 426U);
  EXPECT_EQ(status(with("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: WebSocket")), 101U);
}

TEST(Upgrade, RefusesTwoOfWhatThereIsOneOf) {
  EXPECT_EQ(status(std::string{kGood} + "Host: server.example.com\r\n"), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Host: other.example.com\r\n"), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Sec-WebSocket-Version: 13\r\n"), 400U);
  EXPECT_EQ(status(std::string{kGood} + "Sec-WebSocket-Version: 8\r\n"), 400U);
}

TEST(Upgrade, SaysThatItBeginsWithGet) {
  std::string post{kGood};
  post.replace(0, 3, "PUT");
  EXPECT_EQ(switch_protocols(parse(post), {}).error()["Allow"], "GET");
}

TEST(Upgrade, DescribesARequest) {
  const auto described = describe_request(
      parse("DELETE /a/b%20?c?d=%20 HTTP/1.1\r\nAuthorization:  Bearer x \r\n"), "192.0.2.1");
  EXPECT_EQ(described.path, "/a/b%20");
  EXPECT_EQ(described.query, "c?d=%20");
  EXPECT_EQ(described.remote_address, "192.0.2.1");
  EXPECT_EQ(described.method, transport::HttpMethod::del);
  EXPECT_EQ(described.authorization, "Bearer x");
  EXPECT_EQ(describe_request(parse("HEAD / HTTP/1.1\r\n"), "").method, transport::HttpMethod::get);
  EXPECT_EQ(method_of(parse("BREW / HTTP/1.1\r\n")), std::nullopt);
}

TEST(Upgrade, SaysWhenToComeAgain) {
  const Response response = come_again(parse(std::string{kGood}), std::chrono::seconds{7});
  EXPECT_EQ(response.result_int(), 503U);
  EXPECT_EQ(response["Retry-After"], "7");
}

}  // namespace
}  // namespace sluice::websocket
