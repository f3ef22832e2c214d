#include "transport/websocket/client_upgrade.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <openssl/evp.h>

#include "core/limits.hpp"
#include "transport/websocket/upgrade.hpp"

namespace sluice::websocket {
namespace {

namespace http = boost::beast::http;
using Field = http::field;
using boost::system::error_code;
using Headers = http::response<http::empty_body>;

/// The longest that a server may ask to wait: past it its figure is taken for a mistake.
constexpr std::chrono::seconds kLongestRetryAfter = std::chrono::hours{1};

std::string_view value(const Headers& response, Field field) {
  const auto text = response[field];
  return {text.data(), text.size()};
}

bool names(const Headers& response, Field field, std::string_view token) {
  return http::token_list{response[field]}.exists({token.data(), token.size()});
}

/// Seconds; a date, which HTTP allows too, is nothing that a hub of ours sends.
std::optional<std::chrono::seconds> retry_after(const Headers& response) {
  const std::string_view text = value(response, Field::retry_after);
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::min(kLongestRetryAfter, std::chrono::seconds{seconds});
}

std::unexpected<Error> no_websocket(std::string_view why) {
  return fail(Errc::protocol_violation, "It does not speak WebSocket: " + std::string{why} + '.');
}

}  // namespace

std::string make_key(ByteView sixteen_bytes) {
  std::array<unsigned char, 32> encoded{};
  const int size =
      EVP_EncodeBlock(encoded.data(), reinterpret_cast<const unsigned char*>(sixteen_bytes.data()),
                      static_cast<int>(sixteen_bytes.size()));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::string encode(const UpgradeRequest& request) {
  std::string text = "GET " + request.target + " HTTP/1.1\r\nHost: " + request.host +
                     "\r\nUser-Agent: sluice\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                     request.key + "\r\n";
  for (std::size_t i = 0; i < request.offered.size(); ++i) {
    text += i == 0 ? "Sec-WebSocket-Protocol: " : ", ";
    text += request.offered[i].name;
  }
  if (!request.offered.empty()) text += "\r\n";
  return text + "\r\n";
}

UpgradeReply::UpgradeReply(UpgradeRequest request) : request_(std::move(request)) {
  parser_.header_limit(static_cast<std::uint32_t>(limits::kHttpHeader.count()));
}

Result<bool> UpgradeReply::take(ByteView bytes) {
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  error_code failed;
  const std::size_t used = parser_.put(boost::asio::buffer(unread_), failed);
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(used));
  if (parser_.is_header_done()) return true;
  if (failed && failed != http::error::need_more) return no_websocket(failed.message());
  if (size_of(unread_) > limits::kHttpHeader) return no_websocket("its header is too long");
  return false;
}

Result<UpgradeAnswer> UpgradeReply::check() const {
  const Headers& response = parser_.get();
  if (response.result() != http::status::switching_protocols) {
    const auto reason = response.reason();
    return UpgradeAnswer{
        .refusal =
            transport::HttpRefusal{.status = response.result_int(), .retry_after = retry_after(response)},
        .text = std::to_string(response.result_int()) + ' ' + std::string{reason.data(), reason.size()}};
  }
  if (!names(response, Field::upgrade, "websocket") || !names(response, Field::connection, "upgrade"))
    return no_websocket("it switches to something else");
  if (value(response, Field::sec_websocket_accept) != accept_key(request_.key))
    return no_websocket("its answer is to another question");
  // RFC 6455 §4.1: what was not asked for fails the connection.
  if (response.count(Field::sec_websocket_extensions) > 0) return no_websocket("it wants an extension");
  UpgradeAnswer answer{.refusal = std::nullopt};
  const std::string_view chosen = value(response, Field::sec_websocket_protocol);
  if (chosen.empty()) return answer;
  const auto offered = std::ranges::find(request_.offered, chosen, &Subprotocol::name);
  if (offered == request_.offered.end()) return no_websocket("it speaks a subprotocol that was not offered");
  answer.subprotocol = *offered;
  return answer;
}

}  // namespace sluice::websocket
