#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/link.hpp"

namespace sluice::transport {

/// A HEAD is a GET to its handler: the server keeps the answer's body to itself.
enum class HttpMethod : std::uint8_t { get, post, put, patch, del };

/// What a handler is told of a request.
struct HttpRequest {
  std::string path;            ///< Without the query; not decoded, as is everything here.
  std::string query;           ///< What follows the first `?`; empty when there is none.
  std::string remote_address;  ///< Numeric, without the port.
  HttpMethod method = HttpMethod::get;
  std::string authorization{};  ///< The value of `Authorization`, empty without it. No log shows it.
  std::string body{};
};

struct HttpHeader {
  std::string name;
  std::string value;  ///< Control characters in it become spaces (RFC 9110 §5.5).
};

/// What it answers.
struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<HttpHeader> headers{};  ///< Beside those of the server's own.
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// A link that a server has accepted, and whose it is.
struct AcceptedLink {
  std::unique_ptr<Link> link;
  std::string remote_address;  ///< Numeric, without the port.
};

using LinkHandler = std::function<void(AcceptedLink)>;

}  // namespace sluice::transport
