#include "transport/site_policy.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sluice::transport {
namespace {

using Verdict = SitePolicy::Verdict;
using Scheme = Origin::Scheme;
constexpr Verdict kAllowed = Verdict::allowed;
constexpr Verdict kMalformed = Verdict::malformed;
constexpr Verdict kForeignHost = Verdict::foreign_host;
constexpr Verdict kForeignOrigin = Verdict::foreign_origin;

struct Asked {
  std::string_view host;
  std::string_view origin{};
  Scheme scheme = Scheme::http;
};

Verdict check(const SitePolicy& policy, const Asked& asked) {
  SiteRequest request{.hosts = {asked.host}, .scheme = asked.scheme};
  if (!asked.origin.empty()) request.origins.push_back(asked.origin);
  return policy.check(request);
}

SitePolicy on_loopback(const SiteRules& rules = {}) {
  SitePolicy policy{rules};
  policy.set_machine_name("box");
  policy.add_listener({.address = "127.0.0.1", .port = 7788});
  return policy;
}

SitePolicy everywhere(const SiteRules& rules = {}) {
  SitePolicy policy{rules};
  policy.set_machine_name("box");
  policy.add_listener({.address = "0.0.0.0", .port = 443});
  policy.add_listener({.address = "::", .port = 443});
  policy.set_certificate_names({"hub.example", "*.hub.example", "192.0.2.7"});
  return policy;
}

TEST(SitePolicy, LetsProgramsNameWhatItListensOn) {
  const SitePolicy policy = on_loopback();
  for (const std::string_view host :
       {"127.0.0.1:7788", "localhost:7788", "LocalHost", "localhost.:7788", "127.0.0.1", "localhost:9000",
        "[::ffff:127.0.0.1]:7788", "localhost:"}) {
    EXPECT_EQ(check(policy, {.host = host}), kAllowed) << host;
  }
}

TEST(SitePolicy, RejectsANameThatWasMadeToResolveToIt) {
  for (const std::string_view host : {"evil.test:7788", "evil.test", "localhost.evil.test", "evil.localhost",
                                      "127.0.0.1.evil.test:7788", "box", "127.0.0.2", "192.0.2.1", "[::1]"}) {
    EXPECT_EQ(check(on_loopback(), {.host = host}), kForeignHost) << host;
  }
  for (const std::string_view host :
       {"evil.test", "hub.example.evil.test", "a.b.hub.example", "xhub.example"})
    EXPECT_EQ(check(everywhere(), {.host = host, .scheme = Scheme::https}), kForeignHost) << host;
}

TEST(SitePolicy, GoesByAddressesMachineAndCertificateWhenItListensEverywhere) {
  for (const std::string_view host : {"203.0.113.9", "[2001:db8::1]:443", "127.0.0.1", "localhost", "box",
                                      "hub.example", "a.hub.example", "HUB.example:8443", "192.0.2.7"}) {
    EXPECT_EQ(check(everywhere(), {.host = host, .scheme = Scheme::https}), kAllowed) << host;
  }
}

TEST(SitePolicy, TakesEitherFormOfAnAddressForTheSame) {
  SitePolicy policy{{}};
  policy.add_listener({.address = "2001:DB8:0:0::1", .port = 443});
  EXPECT_EQ(check(policy, {.host = "[2001:db8::1]"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "[2001:db8::2]"}), kForeignHost);
}

TEST(SitePolicy, RejectsWhatIsNoHostOrSeveral) {
  const SitePolicy policy = on_loopback();
  for (const std::string_view host : {"", "user@localhost", "local host", "localhost:x", "localhost:0",
                                      "localhost:99999", "[::1", "::1", "[127.0.0.1]", "a/b", ":7788", "."}) {
    EXPECT_EQ(check(policy, {.host = host}), kMalformed) << host;
  }
  EXPECT_EQ(policy.check({.hosts = {"localhost", "localhost"}}), kMalformed);
  EXPECT_EQ(policy.check({.hosts = {"localhost", "evil.test"}}), kMalformed);
  EXPECT_EQ(policy.check({.hosts = {"localhost"}, .origins = {"http://localhost:7788", "http://evil.test"}}),
            kMalformed);
}

TEST(SitePolicy, AsksForAHostUnlessHttpHadNone) {
  const SitePolicy policy = on_loopback();
  EXPECT_EQ(policy.check({}), kMalformed);
  EXPECT_EQ(policy.check({.http = SiteRequest::Http::before_1_1}), kAllowed);
  EXPECT_EQ(policy.check({.origins = {"http://evil.test"}, .http = SiteRequest::Http::before_1_1}),
            kMalformed);
}

TEST(SitePolicy, LetsItsOwnPagesIn) {
  const SitePolicy policy = on_loopback();
  EXPECT_EQ(check(policy, {.host = "127.0.0.1:7788", .origin = "http://127.0.0.1:7788"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "127.0.0.1:7788", .origin = "http://localhost:7788"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "localhost:9000", .origin = "http://localhost:9000"}), kAllowed)
      << "through a forwarded port";
  EXPECT_EQ(
      check(everywhere(), {.host = "203.0.113.9", .origin = "https://203.0.113.9", .scheme = Scheme::https}),
      kAllowed);
}

TEST(SitePolicy, RejectsPagesOfOthers) {
  for (const std::string_view origin :
       {"http://localhost:3000", "http://127.0.0.1:7789", "http://evil.test", "http://evil.test:7788",
        "https://localhost", "null", "file://", "chrome-extension://abcdef",
        "http://localhost:7788.evil.test", "http://localhost:7788@evil.test", "http://", "*"}) {
    EXPECT_EQ(check(on_loopback(), {.host = "127.0.0.1:7788", .origin = origin}), kForeignOrigin) << origin;
  }
  for (const std::string_view origin :
       {"https://203.0.113.9", "https://hub.example:8443", "https://evil.test"}) {
    EXPECT_EQ(check(everywhere(), {.host = "198.51.100.1", .origin = origin, .scheme = Scheme::https}),
              kForeignOrigin)
        << origin;
  }
}

TEST(SitePolicy, RejectsPagesOfOtherNamesThatItsCertificateCovers) {
  SitePolicy policy{{}};
  policy.set_machine_name("box");
  policy.add_listener({.address = "0.0.0.0", .port = 443});
  policy.add_listener({.address = "0.0.0.0", .port = 8443});
  policy.set_certificate_names({"*.example.com", "hub.example.net"});
  const auto from = [&](std::string_view host, std::string_view origin) {
    return check(policy, {.host = host, .origin = origin, .scheme = Scheme::https});
  };
  for (const std::string_view origin : {"https://wiki.example.com", "https://wiki.example.com:8443",
                                        "https://hub.example.net", "https://box", "https://localhost"}) {
    EXPECT_EQ(from("hub.example.com", origin), kForeignOrigin) << origin;
  }
  EXPECT_EQ(from("hub.example.com", "https://hub.example.com"), kAllowed);
  EXPECT_EQ(from("hub.example.com:8443", "https://hub.example.com"), kAllowed) << "another of its ports";
  EXPECT_EQ(from("hub.example.com:8443", "https://hub.example.com:444"), kForeignOrigin);
  policy.set_rules({.origins = {"https://wiki.example.com"}});
  EXPECT_EQ(from("hub.example.com", "https://wiki.example.com"), kAllowed) << "auth.origins";
}

TEST(SitePolicy, RejectsAPageThatCameWithoutTlsWhereThereIsTls) {
  SitePolicy policy{{}};
  policy.add_listener({.address = "0.0.0.0", .port = 80});
  policy.set_certificate_names({"hub.example"});
  EXPECT_EQ(check(policy, {.host = "hub.example", .origin = "http://hub.example", .scheme = Scheme::https}),
            kForeignOrigin);
  EXPECT_EQ(check(policy, {.host = "hub.example", .origin = "https://hub.example", .scheme = Scheme::https}),
            kAllowed);
}

TEST(SitePolicy, KnowsItsPublicNameBehindAProxy) {
  const SitePolicy policy = on_loopback({.hosts = {"hub.example", "*.apps.example", "chat.example:8443"}});
  EXPECT_EQ(check(policy, {.host = "hub.example", .origin = "https://hub.example"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "127.0.0.1:7788", .origin = "https://hub.example"}), kAllowed)
      << "a proxy that puts its own Host";
  EXPECT_EQ(check(policy, {.host = "a.b.apps.example"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "apps.example"}), kForeignHost);
  EXPECT_EQ(check(policy, {.host = "chat.example:8443", .origin = "https://chat.example:8443"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "chat.example"}), kForeignHost);
  EXPECT_EQ(check(policy, {.host = "127.0.0.1:7788", .origin = "https://hub.example:444"}), kForeignOrigin);
  EXPECT_EQ(check(policy, {.host = "127.0.0.1:7788", .origin = "https://chat.example"}), kForeignOrigin);
}

TEST(SitePolicy, LetsListedPagesIn) {
  const SitePolicy policy =
      on_loopback({.origins = {"https://app.example", "http://localhost:3000", "chrome-extension://abcdef"}});
  const auto from = [&](std::string_view origin) {
    return check(policy, {.host = "127.0.0.1:7788", .origin = origin});
  };
  EXPECT_EQ(from("https://app.example"), kAllowed);
  EXPECT_EQ(from("https://app.example:443"), kAllowed);
  EXPECT_EQ(from("http://localhost:3000"), kAllowed);
  EXPECT_EQ(from("chrome-extension://abcdef"), kAllowed);
  EXPECT_EQ(from("http://app.example"), kForeignOrigin);
  EXPECT_EQ(from("https://app.example:8443"), kForeignOrigin);
  EXPECT_EQ(from("https://x.app.example"), kForeignOrigin);
  EXPECT_EQ(from("null"), kForeignOrigin);
  EXPECT_EQ(check(policy, {.host = "evil.test", .origin = "https://app.example"}), kForeignHost);
  EXPECT_EQ(check(on_loopback({.origins = {"null"}}), {.host = "localhost", .origin = "null"}), kAllowed);
}

TEST(SitePolicy, LetsEverythingInOnlyWhenToldSo) {
  EXPECT_EQ(check(on_loopback({.origins = {"*"}}), {.host = "localhost", .origin = "null"}), kAllowed);
  EXPECT_EQ(check(on_loopback({.origins = {"*"}}), {.host = "evil.test"}), kForeignHost);
  EXPECT_EQ(check(on_loopback({.hosts = {"*"}}), {.host = "any.test"}), kAllowed);
  EXPECT_EQ(check(on_loopback({.hosts = {"*"}}), {.host = "any.test", .origin = "http://other.test:7788"}),
            kForeignOrigin);
}

TEST(SitePolicy, SeesAnotherSiteWhereABrowserSendsNoOrigin) {
  const auto fetched = [](std::string_view site, std::string_view mode, std::string_view destination) {
    return on_loopback().check({.hosts = {"127.0.0.1:7788"},
                                .fetch_site = site,
                                .fetch_mode = mode,
                                .fetch_destination = destination});
  };
  EXPECT_EQ(fetched("cross-site", "no-cors", "image"), kForeignOrigin);
  EXPECT_EQ(fetched("same-site", "no-cors", "script"), kForeignOrigin);
  EXPECT_EQ(fetched("cross-site", "navigate", "iframe"), kForeignOrigin);
  EXPECT_EQ(fetched("cross-site", "navigate", "document"), kAllowed) << "a link";
  EXPECT_EQ(fetched("same-origin", "cors", "empty"), kAllowed);
  EXPECT_EQ(fetched("none", "navigate", "document"), kAllowed);
}

TEST(SitePolicy, TakesUpOtherRulesAndAnotherCertificate) {
  SitePolicy policy = everywhere({.hosts = {"old.example"}});
  policy.set_rules({.hosts = {"new.example"}});
  policy.set_certificate_names({"other.example"});
  EXPECT_EQ(check(policy, {.host = "old.example"}), kForeignHost);
  EXPECT_EQ(check(policy, {.host = "hub.example"}), kForeignHost);
  EXPECT_EQ(check(policy, {.host = "new.example"}), kAllowed);
  EXPECT_EQ(check(policy, {.host = "other.example"}), kAllowed);
}

TEST(SiteRules, AreCheckedBeforeTheyAreUsed) {
  for (const char* host : {"hub.example", "hub.example:443", "*.example", "*", "192.0.2.1", "[::1]:7788"})
    EXPECT_TRUE(check_site_host(host)) << host;
  for (const char* host : {"", "https://hub.example", "hub.example/", "**", "*.", "a b", "hub:0"})
    EXPECT_FALSE(check_site_host(host)) << host;
  for (const char* origin : {"https://app.example", "http://localhost:3000", "null", "*", "app://x"})
    EXPECT_TRUE(check_site_origin(origin)) << origin;
  for (const char* origin :
       {"", "app.example", "https://", "https://app.example/", "https://a/b", "://a", "https://*"})
    EXPECT_FALSE(check_site_origin(origin)) << origin;
}

}  // namespace
}  // namespace sluice::transport
