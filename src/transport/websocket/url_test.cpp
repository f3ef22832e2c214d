#include "transport/websocket/url.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::websocket {
namespace {

Url parsed(std::string_view text) {
  const auto url = parse_url(text);
  EXPECT_TRUE(url) << text;
  return url.value_or(Url{});
}

TEST(Url, TakesHostPortAndPath) {
  EXPECT_EQ(parsed("ws://127.0.0.1:7788"),
            (Url{.scheme = Url::Scheme::ws, .host = "127.0.0.1", .port = 7788, .path = {}}));
  EXPECT_EQ(parsed("wss://hub.example"),
            (Url{.scheme = Url::Scheme::wss, .host = "hub.example", .port = 443, .path = {}}));
  EXPECT_EQ(parsed("ws://hub.example/"),
            (Url{.scheme = Url::Scheme::ws, .host = "hub.example", .port = 80, .path = {}}));
  EXPECT_EQ(parsed("wss://[2001:db8::1]:99/a/b/"),
            (Url{.scheme = Url::Scheme::wss, .host = "2001:db8::1", .port = 99, .path = "/a/b"}));
  EXPECT_EQ(authority(parsed("ws://[::1]:7")), "[::1]:7");
  EXPECT_EQ(authority(parsed("ws://a:7")), "a:7");
}

TEST(Url, RefusesWhatIsNone) {
  for (const std::string_view text : {"",
                                      "ws://",
                                      "http://a",
                                      "127.0.0.1:7788",
                                      "ws://:80",
                                      "ws://a:",
                                      "ws://a:x",
                                      "ws://a:65536",
                                      "ws://a:0",
                                      "ws://a:-1",
                                      "ws://[::1",
                                      "ws://[]:1",
                                      "ws://[::1]x",
                                      "ws://user@a",
                                      "ws://a b",
                                      "ws://a\r\nb",
                                      "ws://a/\r\nX: y",
                                      "ws://a?x",
                                      "ws://a/b#c",
                                      "ws://a:1:2"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::invalid_argument);
  }
}

TEST(Url, NeverLetsALineBreakThrough) {
  EXPECT_TRUE(rc::check("any text", [](const std::string& text) {
    const auto url = parse_url("ws://" + text);
    if (url) RC_ASSERT((url->host + url->path).find_first_of("\r\n \t") == std::string::npos);
  }));
}

TEST(ListenAddress, TakesAddressAndPort) {
  const auto ipv6 = parse_listen_address("[::]:0");
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(ipv6->address, "::");
  EXPECT_EQ(ipv6->port, 0);
  for (const std::string_view text : {"", "127.0.0.1", ":80", "80", "::1:80", "127.0.0.1:99999"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
}

}  // namespace
}  // namespace sluice::websocket
