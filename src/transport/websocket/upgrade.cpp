#include "transport/websocket/upgrade.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string_view>
#include <utility>

#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/write.hpp>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace sluice::websocket {
namespace {

namespace http = boost::beast::http;
using Field = http::field;

constexpr std::string_view kVersion = "13";

std::string_view value(const Request& request, Field field) {
  const auto text = request[field];
  return {text.data(), text.size()};
}

/// Several lines of one field are one list (RFC 9110 §5.3).
bool names(const Request& request, Field field, std::string_view token) {
  const auto [begin, end] = request.equal_range(field);
  return std::any_of(begin, end, [token](const auto& line) {
    return http::token_list{line.value()}.exists({token.data(), token.size()});
  });
}

/// RFC 6455 §4.1: 16 bytes in base64, so 22 characters and two signs of equality.
bool is_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  return std::ranges::all_of(key.substr(0, 22), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '/';
  });
}

/// RFC 9110 §5.5.
std::string without_controls(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; }, ' ');
  return text;
}

Response refusal(const Request& request, http::status status, std::string text) {
  return make_response(request, plain_text(status, std::move(text)));
}

/// Why it cannot be a WebSocket, if so; RFC 6455 §4.2.1 in its order.
std::optional<Response> complaint(const Request& request) {
  const auto bad = [&](std::string text) {
    return refusal(request, http::status::bad_request, std::move(text));
  };
  if (!names(request, Field::upgrade, "websocket") || !names(request, Field::connection, "upgrade"))
    return refusal(request, http::status::upgrade_required, "This path speaks WebSocket only.");
  if (request.method() != http::verb::get) {
    Response refused = refusal(request, http::status::method_not_allowed, "A WebSocket begins with GET.");
    refused.set(Field::allow, "GET");
    return refused;
  }
  if (request.version() < 11) return bad("A WebSocket begins with HTTP/1.1.");
  if (request.count(Field::host) != 1 || value(request, Field::host).empty())
    return bad("There is no Host, or more than one.");
  if (request.count(Field::sec_websocket_key) != 1 || !is_key(value(request, Field::sec_websocket_key)))
    return bad("There is no valid Sec-WebSocket-Key.");
  if (request.count(Field::sec_websocket_version) > 1)
    return bad("There is more than one Sec-WebSocket-Version.");
  if (value(request, Field::sec_websocket_version) != kVersion)
    return refusal(request, http::status::upgrade_required, "Version 13 of WebSocket is spoken here.");
  return std::nullopt;
}

/// What the client offers may stand in several fields (RFC 6455 §11.3.4).
bool offers(const Request& request, std::string_view subprotocol) {
  const auto [begin, end] = request.equal_range(Field::sec_websocket_protocol);
  return std::any_of(begin, end, [&](const auto& field) {
    // Names are compared as they are, with their case.
    const http::token_list offered{field.value()};
    return std::any_of(offered.begin(), offered.end(), [&](const auto& name) {
      return std::string_view{name.data(), name.size()} == subprotocol;
    });
  });
}

}  // namespace

std::string accept_key(std::string_view key) {
  const std::string text = std::string{key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 32> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::expected<Switched, Response> switch_protocols(const Request& request,
                                                   const std::vector<Subprotocol>& spoken) {
  if (auto refused = complaint(request)) return std::unexpected(std::move(*refused));
  const auto chosen = std::ranges::find_if(
      spoken, [&](const Subprotocol& subprotocol) { return offers(request, subprotocol.name); });
  if (!spoken.empty() && chosen == spoken.end()) {
    std::string text = "None of the offered subprotocols is spoken here; these are:";
    for (const Subprotocol& subprotocol : spoken) text += ' ' + subprotocol.name;
    return std::unexpected(refusal(request, http::status::bad_request, std::move(text)));
  }
  Switched switched{.response = {http::status::switching_protocols, 11}, .subprotocol = std::nullopt};
  Response& response = switched.response;
  response.set(Field::server, "sluice");
  response.set(Field::upgrade, "websocket");
  response.set(Field::connection, "Upgrade");
  response.set(Field::sec_websocket_accept, accept_key(value(request, Field::sec_websocket_key)));
  if (chosen != spoken.end()) {
    response.set(Field::sec_websocket_protocol, chosen->name);
    switched.subprotocol = *chosen;
  }
  return switched;
}

std::optional<transport::HttpMethod> method_of(const Request& request) {
  using transport::HttpMethod;
  switch (request.method()) {
    case http::verb::get:
    case http::verb::head:
      return HttpMethod::get;
    case http::verb::post:
      return HttpMethod::post;
    case http::verb::put:
      return HttpMethod::put;
    case http::verb::patch:
      return HttpMethod::patch;
    case http::verb::delete_:
      return HttpMethod::del;
    default:
      return std::nullopt;
  }
}

transport::HttpRequest describe_request(const Request& request, std::string remote_address) {
  const std::string_view target = request.target();
  const auto mark = target.find('?');
  transport::HttpRequest described{
      .path = std::string{target.substr(0, mark)}, .query = {}, .remote_address = std::move(remote_address)};
  if (mark != std::string_view::npos) described.query = target.substr(mark + 1);
  described.method = method_of(request).value_or(transport::HttpMethod::get);
  described.authorization = value(request, Field::authorization);
  return described;
}

Response come_again(const Request& request, std::chrono::seconds after) {
  Response response = refusal(request, http::status::service_unavailable, "Too much to do; come again.");
  response.set(Field::retry_after, std::to_string(after.count()));
  return response;
}

Response make_response(const Request& request, transport::HttpResponse content) {
  const auto status = static_cast<http::status>(content.status);
  const bool bare = status == http::status::no_content || status == http::status::not_modified;
  Response response{status, request.version()};
  response.set(Field::server, "sluice");
  if (!bare) response.set(Field::content_type, content.content_type);
  response.set(Field::cache_control, "no-store");
  // For browsers: it is what it says, and nothing that a page of another origin may show or run.
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  for (transport::HttpHeader& header : content.headers)
    response.set(header.name, without_controls(std::move(header.value)));
  if (status == http::status::upgrade_required) {
    response.set(Field::upgrade, "websocket");
    response.set(Field::sec_websocket_version, kVersion);
  }
  response.keep_alive(false);
  response.erase(Field::transfer_encoding);
  if (bare) {
    response.erase(Field::content_length);
    return response;
  }
  const std::size_t size = content.body.size();
  if (request.method() != http::verb::head) response.body() = std::move(content.body);
  response.content_length(size);
  return response;
}

transport::HttpResponse plain_text(http::status status, std::string body) {
  return {
      .status = static_cast<unsigned>(status), .content_type = "text/plain", .body = std::move(body) + "\n"};
}

ByteBuffer encode(const Response& response) {
  std::ostringstream out;
  out << response.base() << response.body();
  return to_buffer(as_bytes(out.view()));
}

}  // namespace sluice::websocket
