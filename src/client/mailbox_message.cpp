#include "client/mailbox_message.hpp"

#include <utility>

#include <boost/json.hpp>

#include "core/client_limits.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"
#include "crypto/encoding.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::client {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 4;  // ours is 1; members of later versions may have some

struct Writer {
  json::object operator()(const Open& request) const {
    json::object object{{"type", "open"}};
    if (request.name) object["name"] = *request.name;
    return object;
  }
  json::object operator()(const Join& request) const {
    return {{"type", "join"}, {"mailbox", request.mailbox}};
  }
  json::object operator()(const Relay& request) const {
    json::object object{{"type", "message"}, {"body", crypto::to_base64(request.body)}};
    if (request.visit) object["introduction"] = *request.visit;
    return object;
  }
  json::object operator()(const Release& request) const {
    return {{"type", "release"}, {"introduction", request.visit}};
  }
  json::object operator()(const Burn&) const { return {{"type", "burn"}}; }
  json::object operator()(const Ping&) const { return {{"type", "ping"}}; }
};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::malformed, "The hub sent something that does not decode: " + std::string{what} + ".");
}

std::optional<std::string_view> text_in(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view{value->get_string()};
}

/// A time that the hub may leave out, in whole units. A figure that no honest hub names is refused here,
/// before it overflows in somebody's arithmetic.
template <typename Unit>
Result<std::optional<Unit>> time_in(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr) return std::nullopt;
  constexpr std::int64_t kMost = std::chrono::duration_cast<Unit>(limits::kLongestHubTime).count();
  boost::system::error_code error;
  const auto count = value->is_double() ? -1 : value->to_number<std::int64_t>(error);
  if (error || count < 0 || count > kMost) return malformed(member);
  return Unit{count};
}

std::string short_text(std::string_view text) {
  return std::string{utf8_prefix(text, limits::kMaxFailureText.count())};
}

struct NamedRefusal {
  std::string_view name;
  Refused::Why why;
  Errc code;
};
constexpr NamedRefusal kRefusals[] = {
    {"not_found", Refused::Why::not_found, Errc::not_found},
    {"busy", Refused::Why::busy, Errc::busy},
    {"limit_exceeded", Refused::Why::limit_exceeded, Errc::limit_exceeded},
    {"malformed", Refused::Why::malformed, Errc::protocol_violation},
    {"too_many_tries", Refused::Why::too_many_tries, Errc::limit_exceeded},
    {"burnt", Refused::Why::burnt, Errc::not_found},
    {"expired", Refused::Why::expired, Errc::not_found},
};

Result<Reply> read_refusal(const json::object& object) {
  const auto retry_after = time_in<std::chrono::milliseconds>(object, "retry_after_ms");
  if (!retry_after) return fail(retry_after.error());
  Refused refused{
      .error = {.code = Errc::refused, .message = short_text(text_in(object, "message").value_or(""))},
      .retry_after = *retry_after};
  const auto code = text_in(object, "code").value_or("");
  for (const auto& known : kRefusals) {
    if (known.name != code) continue;
    refused.why = known.why;
    refused.error.code = known.code;
  }
  if (refused.error.message.empty()) refused.error.message = "The hub refused: " + short_text(code) + ".";
  return refused;
}

Result<Reply> read_opened(const json::object& object) {
  const auto mailbox = text_in(object, "mailbox");
  if (!mailbox || mailbox->empty() || mailbox->size() > limits::kMaxMailboxName)
    return malformed("a mailbox's name");
  const auto expires_in = time_in<std::chrono::seconds>(object, "expires_in_s");
  if (!expires_in) return fail(expires_in.error());
  return Opened{.mailbox = std::string{*mailbox}, .expires_in = *expires_in};
}

Result<Reply> read_peer_joined(const json::object& object) {
  const json::value* value = object.if_contains("introduction");
  boost::system::error_code error;
  const auto visit = value != nullptr && !value->is_double() ? value->to_number<VisitId>(error) : VisitId{};
  if (value == nullptr || value->is_double() || error) return malformed("an introduction's number");
  return PeerJoined{.visit = visit};
}

Result<Reply> read_message(const json::object& object) {
  auto body = crypto::from_base64(text_in(object, "body").value_or("?"));
  if (!body) return malformed("a message's body");
  return Delivered{.body = std::move(*body)};
}

}  // namespace

std::string encode(const Request& request) {
  return json::serialize(std::visit(Writer{}, request));
}

Result<Reply> decode_reply(std::string_view text) {
  if (text.size() > limits::kMaxMailboxMessage.count()) {
    return fail(Errc::limit_exceeded, "The hub sent a message that is too large.");
  }
  const auto value = wire::json::parse(
      text,
      {.text = limits::kMaxMailboxMessage, .memory = limits::kMailboxMessageMemory, .depth = kMaxDepth});
  if (!value) return malformed(value.error().message);
  if (!value->is_object()) return malformed("no JSON object");
  const json::object& object = value->get_object();
  const auto type = text_in(object, "type");
  if (!type) return malformed("no type");
  if (*type == "opened") return read_opened(object);
  if (*type == "joined") return Joined{};
  if (*type == "peer_joined") return read_peer_joined(object);
  if (*type == "peer_left") return PeerLeft{.reason = short_text(text_in(object, "reason").value_or("left"))};
  if (*type == "message") return read_message(object);
  if (*type == "expired") return Expired{};
  if (*type == "pong") return Pong{};
  if (*type == "error") return read_refusal(object);
  return Unknown{};
}

}  // namespace sluice::client
