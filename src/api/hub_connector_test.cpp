#include "api/hub_connector.hpp"

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

const std::string kPin = "sha256:" + std::string(64, 'a');

TEST(HubConnector, HubsAreTakenAsUsersWriteThem) {
  for (const char* url : {"ws://127.0.0.1:7788", "ws://[::1]:7788", "ws://localhost:7788", "ws://hub.local",
                          "wss://hub.example", "wss://192.0.2.1:7788/path"}) {
    const auto hub = parse_hub(url, {});
    ASSERT_TRUE(hub) << describe(hub.error());
    EXPECT_EQ(hub->url, url);
    EXPECT_EQ(hub->fingerprint, "");
  }
}

TEST(HubConnector, PinsAreBroughtIntoTheirForm) {
  const auto hub = parse_hub("wss://192.0.2.1", std::string(64, 'A'));
  ASSERT_TRUE(hub);
  EXPECT_EQ(hub->fingerprint, kPin);
}

TEST(HubConnector, WhatNoLaterAttemptCanHealIsRefused) {
  struct Case {
    std::string url;
    std::optional<std::string> pin;
  };
  for (const auto& [url, pin] :
       {Case{"", {}}, Case{"http://127.0.0.1", {}}, Case{"127.0.0.1:7788", {}}, Case{"wss://", {}},
        Case{"wss://hub.example:0", {}}, Case{"wss://hub.example:70000", {}}, Case{"ws://192.0.2.1:7788", {}},
        Case{"ws://[2001:db8::1]:7788", {}}, Case{"ws://127.0.0.1:7788", kPin}, Case{"wss://hub.example", ""},
        Case{"wss://hub.example", "sha256:12"}}) {
    const auto hub = parse_hub(url, pin);
    ASSERT_FALSE(hub) << url;
    EXPECT_EQ(hub.error().code, Errc::invalid_argument) << url;
  }
}

}  // namespace
}  // namespace sluice::api
