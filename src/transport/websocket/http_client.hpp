#pragma once

#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/http.hpp"
#include "transport/websocket/client.hpp"

namespace sluice::websocket {

/// One request to a server.
struct HttpCall {
  transport::HttpMethod method = transport::HttpMethod::get;
  std::string target{};  ///< Appended to the URL's path; begins with `/`, with its query, encoded.
  std::string authorization{};
  std::string body{};
  std::optional<std::string> pin{};  ///< Trust the certificate with this fingerprint, and no other one.
  PlainPolicy plain = PlainPolicy::loopback;
  Bytes max_answer = limits::kMaxAdminAnswer;
  Duration timeout = limits::kConnectTimeout;  ///< For all of it, name look-up included.
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body{};
};

/// Asks a server (`ws://` and `wss://` URLs, as everywhere) over a connection of its own, which ends with the
/// answer, whatever its status. Runs on the caller's executor. Cancellation: throws `operation_aborted`.
/// Errors: as `connect` has them; `limit_exceeded` for an answer that is too long.
boost::asio::awaitable<Result<HttpAnswer>> fetch(std::string url, HttpCall call);

}  // namespace sluice::websocket
