#include "hub/mailbox_codec.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>

#include "core/client_limits.hpp"
#include "core/limits.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::hub {
namespace {

namespace json = boost::json;

constexpr std::size_t kNameDigits = 32;   // 128 bits: docs/wire/mailbox.md
constexpr std::size_t kNumberDigits = 9;  // more than the largest number ever given out
constexpr std::size_t kMaxDepth = 4;      // ours is 1; unknown members may have some

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}
bool is_base64(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
}

bool is_name(std::string_view text) {
  return text.size() == kNameDigits && std::ranges::all_of(text, is_hex);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= kNumberDigits && text.front() != '0' &&
         std::ranges::all_of(text, is_digit);
}

/// RFC 4648 §4, padded.
bool is_body(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return std::ranges::all_of(text, is_base64);
}

const json::string* text_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value == nullptr ? nullptr : value->if_string();
}

Result<std::optional<Introduction>> introduction_of(const json::object& object) {
  const json::value* value = object.if_contains("introduction");
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<Introduction>(error);
  if (error || value->is_double())
    return fail(Errc::malformed, "\"introduction\" must be a number that peer_joined gave.");
  return number;
}

Result<Request> read_open(const json::object& object) {
  if (object.if_contains("name") == nullptr) return Open{};
  const json::string* name = text_of(object, "name");
  if (name == nullptr || !is_name(*name)) {
    return fail(Errc::malformed, "\"name\" must be 32 lower-case hexadecimal digits.");
  }
  return Open{.name = std::string{*name}};
}

Result<Request> read_join(const json::object& object) {
  const json::string* mailbox = text_of(object, "mailbox");
  if (mailbox == nullptr || !(is_number(*mailbox) || is_name(*mailbox))) {
    return fail(Errc::malformed, "\"mailbox\" must be a mailbox's number or name, as a string.");
  }
  return Join{.mailbox = std::string{*mailbox}};
}

Result<Request> read_message(const json::object& object) {
  const json::string* body = text_of(object, "body");
  if (body == nullptr || !is_body(*body))
    return fail(Errc::malformed, "\"body\" must be base64 (RFC 4648 section 4, padded).");
  auto introduction = introduction_of(object);
  if (!introduction) return fail(std::move(introduction).error());
  return Relay{.body = std::string{*body}, .introduction = *introduction};
}

struct Writer {
  json::object operator()(const Opened& reply) const {
    json::object object{{"type", "opened"}, {"mailbox", reply.mailbox}};
    if (reply.expires_in) object["expires_in_s"] = reply.expires_in->count();
    return object;
  }
  json::object operator()(const Joined&) const { return {{"type", "joined"}}; }
  json::object operator()(const PeerJoined& reply) const {
    return {{"type", "peer_joined"}, {"introduction", reply.introduction}};
  }
  json::object operator()(const PeerLeft& reply) const {
    return {{"type", "peer_left"}, {"reason", name_of(reply.reason)}};
  }
  json::object operator()(const Delivered& reply) const {
    return {{"type", "message"}, {"body", reply.body}};
  }
  json::object operator()(const Expired&) const { return {{"type", "expired"}}; }
  json::object operator()(const Pong&) const { return {{"type", "pong"}}; }
  json::object operator()(const Refusal& reply) const {
    json::object object{{"type", "error"}, {"code", name_of(reply.code)}, {"message", reply.message}};
    if (reply.retry_after) object["retry_after_ms"] = reply.retry_after->count();
    return object;
  }
};

}  // namespace

Result<Request> decode_request(std::string_view text) {
  if (Bytes{text.size()} > limits::kMaxMailboxMessage)
    return fail(Errc::limit_exceeded, "A message may have 32 KiB.");
  const auto value = wire::json::parse(
      text,
      {.text = limits::kMaxMailboxMessage, .memory = limits::kMailboxMessageMemory, .depth = kMaxDepth});
  if (!value) return fail(value.error().code, "It is " + value.error().message + '.');
  const json::object* object = value->if_object();
  const json::string* type = object == nullptr ? nullptr : text_of(*object, "type");
  if (type == nullptr) return fail(Errc::malformed, "A message must be a JSON object with a \"type\".");
  if (*type == "open") return read_open(*object);
  if (*type == "join") return read_join(*object);
  if (*type == "message") return read_message(*object);
  if (*type == "burn") return Burn{};
  if (*type == "ping") return Ping{};
  if (*type == "release") {
    auto introduction = introduction_of(*object);
    if (!introduction) return fail(std::move(introduction).error());
    return Release{.introduction = *introduction};
  }
  return fail(Errc::malformed, "No such \"type\".");
}

std::string encode_reply(const Reply& reply) {
  return json::serialize(std::visit(Writer{}, reply));
}

}  // namespace sluice::hub
