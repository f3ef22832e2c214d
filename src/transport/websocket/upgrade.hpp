#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "core/bytes.hpp"
#include "transport/http.hpp"
#include "transport/websocket/socket_options.hpp"

/// For the room itself: what a request for a WebSocket is answered. Pure.
namespace sluice::websocket {

using Request = boost::beast::http::request_header<>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;

/// What proves that a request was read: RFC 6455 §4.2.2, step 5.4.
[[nodiscard]] std::string accept_key(std::string_view key);

/// 101, and what is spoken from then on.
struct Switched {
  Response response;
  std::optional<Subprotocol> subprotocol;
};

/// Checks what RFC 6455 §4.2.1 asks for and chooses the first of the server's subprotocols that the client
/// offers. Otherwise the refusal: 400, 405 (no GET), or 426 (no upgrade, or another version than 13).
[[nodiscard]] std::expected<Switched, Response> switch_protocols(const Request& request,
                                                                 const std::vector<Subprotocol>& spoken);

/// HEAD is GET. Absent: a method that no page has.
[[nodiscard]] std::optional<transport::HttpMethod> method_of(const Request& request);
/// What a handler is told of it, but for the body.
[[nodiscard]] transport::HttpRequest describe_request(const Request& request, std::string remote_address);

/// 503, with Retry-After.
[[nodiscard]] Response come_again(const Request& request, std::chrono::seconds after);

/// What a handler, or the server itself, has to say. The connection ends behind it. A HEAD is answered
/// without the body, a status that has none (204, 304) also without its length (RFC 9110 §8.6).
[[nodiscard]] Response make_response(const Request& request, transport::HttpResponse content);
[[nodiscard]] transport::HttpResponse plain_text(boost::beast::http::status status, std::string body);

/// As it goes over the wire.
[[nodiscard]] ByteBuffer encode(const Response& response);

}  // namespace sluice::websocket
