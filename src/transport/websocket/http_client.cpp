#include "transport/websocket/http_client.hpp"

#include <memory>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "core/client_limits.hpp"
#include "transport/websocket/dial.hpp"

namespace sluice::websocket {
namespace {

namespace http = beast::http;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using Request = http::request<http::string_body>;

http::verb verb_of(transport::HttpMethod method) {
  switch (method) {
    case transport::HttpMethod::get:
      return http::verb::get;
    case transport::HttpMethod::post:
      return http::verb::post;
    case transport::HttpMethod::put:
      return http::verb::put;
    case transport::HttpMethod::patch:
      return http::verb::patch;
    case transport::HttpMethod::del:
      return http::verb::delete_;
  }
  return http::verb::get;
}

Request request_of(const Url& url, HttpCall& call) {
  Request request{verb_of(call.method), url.path + call.target, 11};
  request.set(http::field::host, authority(url));
  request.set(http::field::user_agent, "sluice");
  request.set(http::field::connection, "close");
  if (!call.authorization.empty()) request.set(http::field::authorization, call.authorization);
  request.body() = std::move(call.body);
  request.prepare_payload();
  return request;
}

asio::awaitable<Result<HttpAnswer>> exchange(ByteStream stream, Request request, Bytes most,
                                             std::string where) {
  const auto [unsent, sent] = co_await http::async_write(stream, request, kAwait);
  if (unsent) co_return fail(Errc::link_lost, where + " took no request: " + unsent.message());
  http::response_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits::kHttpHeader.count()));
  parser.body_limit(most.count());
  // What belongs to neither, the extensions of a chunk above all (RFC 9112 §7.1.1), has to fit into the
  // buffer.
  beast::flat_buffer buffer{static_cast<std::size_t>(limits::kUnreadAnswer.count())};
  const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kAwait);
  if (unread == http::error::body_limit || unread == http::error::header_limit ||
      unread == http::error::buffer_overflow)
    co_return fail(Errc::limit_exceeded, "The answer of " + where + " is too long.");
  if (unread) co_return fail(Errc::protocol_violation, where + " gave no answer: " + unread.message());
  co_return HttpAnswer{.status = parser.get().result_int(), .body = std::move(parser.get().body())};
}

asio::awaitable<Result<HttpAnswer>> attempt(Url url, std::optional<Fingerprint> pin, HttpCall call) {
  DialOptions how{.pin = std::move(pin), .plain = call.plain, .timeout = call.timeout};
  auto trust = std::make_shared<Trust>();
  auto dialled = co_await dial(url, std::move(how), std::move(trust));
  if (!dialled) co_return fail(std::move(dialled.error()));
  ByteStream stream = std::move(*dialled).into_byte_stream();
  Request request = request_of(url, call);
  std::string where = authority(url);
  co_return co_await exchange(std::move(stream), std::move(request), call.max_answer, std::move(where));
}

}  // namespace

asio::awaitable<Result<HttpAnswer>> fetch(std::string url, HttpCall call) {
  auto parsed = parse_url(url);
  if (!parsed) co_return fail(std::move(parsed.error()));
  auto pin = check_pin(*parsed, call.pin);
  if (!pin) co_return fail(std::move(pin.error()));
  const Duration limit = call.timeout;
  Error late{.code = Errc::timed_out, .message = authority(*parsed) + " does not answer in time."};
  auto trying = attempt(std::move(*parsed), std::move(*pin), std::move(call));
  co_return co_await within(limit, std::move(trying), std::move(late));
}

}  // namespace sluice::websocket
