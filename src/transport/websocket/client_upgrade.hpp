#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "transport/connected_socket.hpp"
#include "transport/websocket/socket_options.hpp"

/// For the room itself: what a client asks for when it wants a WebSocket, and what it makes of the answer.
/// Pure.
namespace sluice::websocket {

struct UpgradeRequest {
  std::string host;    ///< With the port, as in `Url`'s authority.
  std::string target;  ///< Begins with `/`.
  std::vector<Subprotocol> offered{};
  std::string key;  ///< 16 bytes in base64 (RFC 6455 §4.1), chosen anew each time.
};
[[nodiscard]] std::string encode(const UpgradeRequest& request);

/// Sixteen bytes in base64.
[[nodiscard]] std::string make_key(ByteView sixteen_bytes);

struct UpgradeAnswer {
  std::optional<Subprotocol> subprotocol{};       ///< The server's choice.
  std::optional<transport::HttpRefusal> refusal;  ///< It said something else than 101.
  std::string text{};                             ///< Of the refusal, for a person.
};

/// Takes a server's answer as it comes, up to `limits::kHttpHeader`, and checks what RFC 6455 §4.1 asks for.
class UpgradeReply {
 public:
  explicit UpgradeReply(UpgradeRequest request);

  /// True: it is all there. Bytes behind it are left in `unread`. Errors: `protocol_violation`.
  [[nodiscard]] Result<bool> take(ByteView bytes);
  /// Once it is all there. Errors: `protocol_violation`.
  [[nodiscard]] Result<UpgradeAnswer> check() const;
  [[nodiscard]] ByteBuffer& unread() { return unread_; }

 private:
  UpgradeRequest request_;
  boost::beast::http::response_parser<boost::beast::http::empty_body> parser_;
  ByteBuffer unread_;
};

}  // namespace sluice::websocket
