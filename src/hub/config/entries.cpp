#include "hub/config/entries.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "wire/hub/message.hpp"

namespace sluice::hub::config {
namespace {

using namespace literals;

constexpr std::int64_t kLongest = std::chrono::nanoseconds{std::chrono::hours{24 * 365 * 10}}.count();

/// Of a key in an entry, or of the entry.
Place place_in(const toml::table& entry, std::string_view key) {
  for (const auto& [name, node] : entry) {
    if (name.str() == key) return place_of(name.source());
  }
  return place_of(entry.source());
}

bool is_match(std::string_view match) {
  if (match == "all") return true;
  for (const std::string_view kind : {"user:", "group:"}) {
    if (match.starts_with(kind)) return wire::hub::is_name(match.substr(kind.size()));
  }
  return false;
}

}  // namespace

void Entries::read_key(const toml::table& entry) {
  enum class Kind : std::uint8_t { hs256, rs256, es256, jwks };
  auth::KeyFile file;
  Kind kind = Kind::jwks;
  const std::array fields = {
      Field{.section = {}, .name = "file", .value = &file.path},
      Field{.section = {},
            .name = "algorithm",
            .value = choice<Kind>(kind, {{"HS256", Kind::hs256},
                                         {"RS256", Kind::rs256},
                                         {"ES256", Kind::es256},
                                         {"JWKS", Kind::jwks}})},
      Field{.section = {}, .name = "id", .value = &file.id},
      Field{.section = {}, .name = "issuer", .value = &file.issuer},
  };
  const auto given = reader_.read_entry(entry, fields);
  for (const std::string_view name : {"file", "algorithm"}) {
    if (!given.contains(name))
      problems_.add(place_of(entry.source()), fmt::format("a key needs its `{}`", name));
  }
  if (given.contains("file") && file.path.empty()) problems_.add(place_in(entry, "file"), "`file` is empty");
  if (given.contains("id") && !wire::hub::is_name(file.id)) {
    problems_.add(place_in(entry, "id"), fmt::format("`id` takes 1 to {} bytes without control characters",
                                                     limits::kMaxName.count()));
  }
  if (given.contains("issuer") && file.issuer.empty())
    problems_.add(place_in(entry, "issuer"), "`issuer` is empty; leave it out");
  if (given.contains("id") && kind == Kind::jwks) {
    problems_.add(place_in(entry, "id"), "the keys of a JWKS file have ids of their own; leave `id` out");
  }
  if (kind == Kind::hs256) file.algorithm = auth::Algorithm::hs256;
  if (kind == Kind::rs256) file.algorithm = auth::Algorithm::rs256;
  if (kind == Kind::es256) file.algorithm = auth::Algorithm::es256;
  if (keys_.size() == limits::kMaxKeys) {
    problems_.add(place_of(entry.source()), fmt::format("there are more than {} keys", limits::kMaxKeys));
  }
  keys_.push_back(std::move(file));
}

void Entries::check_match(const toml::table& entry, const std::string& match) {
  if (!is_match(match)) {
    problems_.add(place_in(entry, "match"),
                  "`match` takes \"user:NAME\", \"group:NAME\" or \"all\"; a * in NAME stands for anything");
  }
  const bool is_second = std::ranges::any_of(
      routes_, [&match](const WrittenRoute& other) { return other.route.match == match; });
  if (is_second) {
    problems_.add(place_in(entry, "match"), fmt::format("an earlier route matches \"{}\" already", match));
  }
}

void Entries::read_route(const toml::table& entry) {
  WrittenRoute read;
  Retention kept;
  Duration ttl{};
  const std::int64_t most = std::int64_t{1} << 40;
  const std::array fields = {
      Field{.section = {}, .name = "match", .value = &read.route.match},
      Field{.section = {},
            .name = "class",
            .value = choice<flow::Urgency>(read.route.urgency, {{"normal", flow::Urgency::normal},
                                                                {"critical", flow::Urgency::critical}})},
      Field{.section = {},
            .name = "policy",
            .value = choice<flow::DropPolicy>(read.route.policy, {{"newest", flow::DropPolicy::newest},
                                                                  {"oldest", flow::DropPolicy::oldest},
                                                                  {"conflate", flow::DropPolicy::conflate}})},
      Field{.section = {}, .name = "stored", .value = &read.route.stored},
      Field{.section = {}, .name = "ttl", .value = &ttl, .least = 1'000'000, .most = kLongest},
      Field{
          .section = {}, .name = "max_age", .value = &kept.max_age, .least = 1'000'000'000, .most = kLongest},
      Field{.section = {}, .name = "max_messages", .value = &kept.max_messages, .least = 1, .most = most},
      Field{.section = {}, .name = "max_bytes", .value = &kept.max_bytes, .least = 1'024, .most = most},
  };
  const auto given = reader_.read_entry(entry, fields);
  if (given.contains("match")) {
    check_match(entry, read.route.match);
  } else {
    problems_.add(place_of(entry.source()), "a route needs its `match`");
  }
  if (given.contains("policy") && read.route.urgency == flow::Urgency::critical) {
    problems_.add(place_in(entry, "policy"), "critical messages are never dropped; leave `policy` out");
  }
  for (const std::string_view name : {"max_age", "max_messages", "max_bytes"}) {
    if (given.contains(name) && !read.route.stored) {
      problems_.add(place_in(entry, name), fmt::format("this route stores nothing; leave `{}` out", name));
    }
  }
  if (given.contains("ttl")) read.route.ttl = ttl;
  if (given.contains("max_age")) read.max_age = kept.max_age;
  if (given.contains("max_messages")) read.max_messages = kept.max_messages;
  if (given.contains("max_bytes")) read.max_bytes = kept.max_bytes;
  if (routes_.size() == limits::kMaxRoutes) {
    problems_.add(place_of(entry.source()), fmt::format("there are more than {} routes", limits::kMaxRoutes));
  }
  routes_.push_back(std::move(read));
}

void use_routes(Settings& settings) {
  const Retention& others = settings.store.kept;
  settings.gateway.routes.clear();
  settings.route_retention.clear();
  for (const WrittenRoute& written : settings.routes) {
    Route route = written.route;
    if (!settings.classes_enabled) route.urgency = flow::Urgency::normal;
    if (!settings.store.enabled) route.stored = false;
    settings.gateway.routes.push_back(std::move(route));
    settings.route_retention.push_back({.max_age = written.max_age.value_or(others.max_age),
                                        .max_messages = written.max_messages.value_or(others.max_messages),
                                        .max_bytes = written.max_bytes.value_or(others.max_bytes)});
  }
  if (settings.store.enabled) return;
  for (const char* const match : {"user:*", "group:*", "all"}) {  // before the built-in ones, which store
    settings.gateway.routes.push_back({.match = match, .stored = false});
    settings.route_retention.push_back(others);
  }
}

}  // namespace sluice::hub::config
