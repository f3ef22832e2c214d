#include <algorithm>
#include <string>
#include <string_view>

#include "observe/log.hpp"
#include "transport/websocket/server_impl.hpp"

/// Which requests are for this server, and which pages may make them.
namespace sluice::websocket {
namespace {

namespace http = beast::http;
using Verdict = transport::SitePolicy::Verdict;

/// What of a client's text stands in a log line.
constexpr std::size_t kShown = 128;

std::vector<std::string_view> lines(const Request& request, http::field field) {
  std::vector<std::string_view> values;
  const auto [begin, end] = request.equal_range(field);
  std::for_each(begin, end,
                [&](const auto& line) { values.emplace_back(line.value().data(), line.value().size()); });
  return values;
}

std::string_view value(const Request& request, std::string_view field) {
  const auto text = request[field];
  return {text.data(), text.size()};
}

transport::SiteRequest describe_site(const Request& request, transport::Origin::Scheme scheme) {
  using Http = transport::SiteRequest::Http;
  return {.hosts = lines(request, http::field::host),
          .origins = lines(request, http::field::origin),
          .fetch_site = value(request, "Sec-Fetch-Site"),
          .fetch_mode = value(request, "Sec-Fetch-Mode"),
          .fetch_destination = value(request, "Sec-Fetch-Dest"),
          .http = request.version() >= 11 ? Http::since_1_1 : Http::before_1_1,
          .scheme = scheme};
}

}  // namespace

std::optional<Response> Server::Impl::refuse_foreign(Visit& visit, const Request& request) {
  if (!site_) return std::nullopt;
  using Scheme = transport::Origin::Scheme;
  const Scheme scheme = visit.stream.tls() == nullptr ? Scheme::http : Scheme::https;
  switch (site_->check(describe_site(request, scheme))) {
    case Verdict::allowed:
      return std::nullopt;
    case Verdict::malformed:
      count(ServerCount::bad_request);
      return make_response(request, plain_text(http::status::bad_request,
                                               "A request has one valid Host, and one Origin at most."));
    case Verdict::foreign_host:
      note_refused(ServerCount::foreign_host, visit, value(request, "Host"));
      return make_response(request, plain_text(http::status::forbidden,
                                               "This hub does not go by that name; see listen.hosts."));
    case Verdict::foreign_origin:
      note_refused(ServerCount::foreign_origin, visit, value(request, "Origin"));
      return make_response(
          request, plain_text(http::status::forbidden,
                              "This hub takes nothing from pages of another origin; see auth.origins."));
  }
  return std::nullopt;
}

void Server::Impl::note_refused(ServerCount why, const Visit& visit, std::string_view named) {
  count(why);
  const bool is_host = why == ServerCount::foreign_host;
  const auto times = refusals_.note(is_host ? "foreign host" : "foreign origin", Clock::now());
  if (!times) return;
  observe::log(observe::LogLevel::warn, "websocket",
               is_host ? "rejected a request for a host that this hub does not go by (listen.hosts)"
                       : "rejected a request that a page of another origin made (auth.origins)",
               {{is_host ? "host" : "origin", named.substr(0, kShown)},
                {"remote", visit.remote},
                {"times", static_cast<std::int64_t>(*times)}});
}

}  // namespace sluice::websocket
