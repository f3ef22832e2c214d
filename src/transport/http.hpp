#pragma once

#include <functional>
#include <memory>
#include <string>

#include "transport/link.hpp"

namespace sluice::transport {

/// What a handler is told of a request.
struct HttpRequest {
  std::string path;            ///< Without the query.
  std::string query;           ///< What follows the first `?`, not decoded; empty when there is none.
  std::string remote_address;  ///< Numeric, without the port.
};

/// What it answers.
struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// A link that a server has accepted, and whose it is.
struct AcceptedLink {
  std::unique_ptr<Link> link;
  std::string remote_address;  ///< Numeric, without the port.
};

using LinkHandler = std::function<void(AcceptedLink)>;

}  // namespace sluice::transport
