#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/hub_limits.hpp"
#include "wire/hub/codec.hpp"
#include "wire/hub/message.hpp"

/// Any message that may be said, every field of it, for property tests; and what the codec makes of messages.
namespace sluice::wire::hub::testing {

inline std::string any_text(std::size_t most, const std::vector<std::string>& characters) {
  std::string text;
  const auto size = *rc::gen::inRange<std::size_t>(0, most + 1);
  for (std::size_t i = 0; i < size; ++i) text += *rc::gen::elementOf(characters);
  return text;
}

/// May be empty.
inline std::string any_label() {
  return any_text(16, {"a", "Z", "7", " ", "\"", "\\", "<", "*", "é", "€", "😀"});
}
inline std::string any_name() {
  return "n" + any_label();
}
inline std::string any_explanation() {
  return any_text(40, {"a", "\n", "é", std::string(1, '\0'), "\x1B", "\x7F"});
}
inline std::uint64_t any_place() {
  return *rc::gen::inRange<std::uint64_t>(0, limits::kMaxPosition + 1);
}
inline Position any_position() {
  return {.epoch = any_place(), .offset = any_place()};
}
template <typename Number>
Number any() {
  return *rc::gen::arbitrary<Number>();
}
inline Reason any_reason() {
  return static_cast<Reason>(any<std::uint8_t>());
}
inline Level any_level() {
  return static_cast<Level>(*rc::gen::inRange(0, 3));
}
inline Bytes any_bytes() {
  return Bytes{any<std::uint64_t>()};
}

inline Conversation any_conversation() {
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      return {.kind = Conversation::Kind::user, .name = any_name()};
    case 1:
      return {.kind = Conversation::Kind::group, .name = any_name()};
    default:
      return {.kind = Conversation::Kind::all};
  }
}

inline Content any_content() {
  if (any<bool>()) return {.kind = Content::Kind::text, .bytes = any_explanation()};
  return {.kind = Content::Kind::data, .bytes = any<std::string>()};
}

inline Ended any_ended() {
  Ended ended{
      .reason = any_reason(), .at = any<UnixMs>(), .waiting = any_bytes(), .oldest_ms = any<std::uint32_t>()};
  const auto size = *rc::gen::inRange<std::size_t>(0, 4);
  for (std::size_t i = 0; i < size; ++i) {
    ended.history.push_back({.at = any<UnixMs>(),
                             .waiting = any_bytes(),
                             .unacknowledged = any_bytes(),
                             .oldest_ms = any<std::uint32_t>(),
                             .writable = any<bool>()});
  }
  return ended;
}

inline Hello any_hello() {
  Hello hello{.token = any_explanation(),
              .user = any_label(),
              .acknowledges = any<bool>(),
              .agent = any_label(),
              .device = any_label()};
  if (!any<bool>()) return hello;
  hello.resume.emplace(Resume{.session_token = any_name()});
  const auto size = *rc::gen::inRange<std::size_t>(0, 4);
  for (std::size_t i = 0; i < size; ++i) {
    hello.resume->positions.push_back({.conversation = any_conversation(), .position = any_position()});
  }
  return hello;
}

inline Publish any_publish() {
  return {.seq = *rc::gen::positive<std::uint64_t>(),
          .id = any_name(),
          .to = any_conversation(),
          .content = any_content(),
          .level = any_level(),
          .key = any_label(),
          .ttl_ms = any<std::uint32_t>()};
}

inline Reply any_reply() {
  return {.request = any_name(),
          .content = any_content(),
          .reason = any<bool>() ? Reason::none : any_reason(),
          .message = any_explanation(),
          .retry_after_ms = any<std::uint32_t>()};
}

inline Limits any_limits() {
  return {.max_message = any_bytes(),
          .window = any_bytes(),
          .max_groups = any<std::uint32_t>(),
          .messages_per_second = any<std::uint32_t>(),
          .bytes_per_second = any_bytes(),
          .message_burst = any<std::uint32_t>(),
          .byte_burst = any_bytes(),
          .max_unanswered = any<std::uint32_t>(),
          .max_connections = any<std::uint32_t>()};
}

inline Welcome any_welcome() {
  return {.user = any_name(),
          .session = any_name(),
          .session_token = any_label(),
          .epoch = any_place(),
          .resumed = any<bool>(),
          .limits = any_limits(),
          .heartbeat_interval_ms = any<std::uint32_t>(),
          .previous = any<bool>() ? std::optional{any_ended()} : std::nullopt,
          .inbox = any<bool>() ? any_position() : Position{}};
}

inline Delivery any_delivery() {
  return {.from = any_name(),
          .to = any_conversation(),
          .id = any_name(),
          .position = any_position(),
          .sent_at = any<UnixMs>(),
          .content = any_content(),
          .key = any_label(),
          .critical = any<bool>(),
          .replayed = any<bool>(),
          .request = any_label(),
          .timeout_ms = any<std::uint32_t>()};
}

inline Receipt any_receipt() {
  return {.seq = any<std::uint64_t>(),
          .id = any_name(),
          .level = any_level(),
          .reason = any_reason(),
          .message = any_explanation(),
          .retry_after_ms = any<std::uint32_t>(),
          .position = any_position(),
          .duplicate = any<bool>()};
}

inline Gap any_gap() {
  return {.conversation = any_conversation(),
          .epoch = any_place(),
          .first = any_place(),
          .last = any_place(),
          .count = any<std::uint64_t>(),
          .reason = any_reason(),
          .gone = any<bool>(),
          .from = any<bool>() ? std::optional{any_position()} : std::nullopt};
}

inline Members any_members() {
  Members members{.group = any_name(), .more = any<bool>()};
  const auto size = *rc::gen::inRange<std::size_t>(0, 5);
  for (std::size_t i = 0; i < size; ++i) members.users.push_back(any_name());
  return members;
}

inline Pull any_pull() {
  const auto first = any_place();
  return {.conversation = any_conversation(),
          .epoch = any_place(),
          .first = first,
          .last = any<bool>() ? 0 : *rc::gen::inRange<std::uint64_t>(first, limits::kMaxPosition + 1)};
}

/// Of `std::variant_size_v<FromClient>` kinds, in no particular order.
inline FromClient any_from_client(std::size_t kind) {
  switch (kind) {
    case 0:
      return any_hello();
    case 1:
      return any_publish();
    case 2:
      return Request{.seq = *rc::gen::positive<std::uint64_t>(),
                     .id = any_name(),
                     .user = any_name(),
                     .content = any_content(),
                     .timeout_ms = any<std::uint32_t>()};
    case 3:
      return any_reply();
    case 4:
      return Join{.group = any_name(),
                  .from = any<bool>() ? std::optional{any_position()} : std::nullopt,
                  .presence = any<bool>()};
    case 5:
      return Leave{.group = any_name()};
    case 6:
      return any_pull();
    case 7:
      return Who{.group = any_name()};
    case 8:
      return Refresh{.token = any_name()};
    case 9:
      return Ack{.seq = any<std::uint64_t>()};
    case 10:
      return Ping{.nonce = any<std::uint64_t>()};
    default:
      return Pong{.nonce = any<std::uint64_t>()};
  }
}

inline FromHub any_from_hub(std::size_t kind) {
  switch (kind) {
    case 0:
      return any_welcome();
    case 1:
      return any_delivery();
    case 2:
      return any_receipt();
    case 3:
      return any_gap();
    case 4:
      return Joined{.group = any_name(), .position = any_position(), .members = any<std::uint32_t>()};
    case 5:
      return Left{.group = any_name(), .reason = any_reason()};
    case 6:
      return Pulled{.conversation = any_conversation(), .last = any_position(), .more = any<bool>()};
    case 7:
      return any_members();
    case 8:
      return Presence{.group = any_name(), .user = any_name(), .online = any<bool>()};
    case 9:
      return Refreshed{.expires_at = any<UnixMs>(),
                       .limits = any<bool>() ? std::optional{any_limits()} : std::nullopt};
    case 10:
      return Refusal{.reason = any_reason(),
                     .message = any_explanation(),
                     .retry_after_ms = any<std::uint32_t>(),
                     .seq = any<std::uint64_t>(),
                     .group = any_label()};
    case 11:
      return Kick{
          .reason = any_reason(), .message = any_explanation(), .retry_after_ms = any<std::uint32_t>()};
    case 12:
      return Ack{.seq = any<std::uint64_t>()};
    case 13:
      return Ping{.nonce = any<std::uint64_t>()};
    case 14:
      return Pong{.nonce = any<std::uint64_t>()};
    default:
      return any_reply();
  }
}

// --- bytes and back ---

inline constexpr Encoding kBoth[] = {Encoding::proto, Encoding::json};

template <typename Message>
ByteBuffer encoded(Encoding encoding, const Message& message) {
  ByteBuffer out;
  append(out, encoding, message);
  return out;
}

inline std::string json_of(const FromHub& message) {
  return std::string{as_text(encoded(Encoding::json, message))};
}

inline std::optional<FromClient> heard(Encoding encoding, ByteView message) {
  auto decoded = decode_from_client(encoding, message);
  return decoded ? std::optional{std::move(*decoded)} : std::nullopt;
}
inline std::optional<FromHub> heard_from_hub(Encoding encoding, ByteView message) {
  auto decoded = decode_from_hub(encoding, message);
  return decoded ? std::optional{std::move(*decoded)} : std::nullopt;
}
inline std::optional<FromClient> read(std::string_view json) {
  return heard(Encoding::json, as_bytes(json));
}

/// What a hub would answer to this; none when it decodes.
inline Reason answer_to(Encoding encoding, ByteView message) {
  const auto decoded = decode_from_client(encoding, message);
  return decoded ? Reason::none : decoded.error().reason;
}
inline Reason answer_to(std::string_view json) {
  return answer_to(Encoding::json, as_bytes(json));
}

/// The same in both encodings, or else `kUnknownReason`.
inline Reason answer_to(const FromClient& message) {
  const Reason proto = answer_to(Encoding::proto, encoded(Encoding::proto, message));
  const Reason json = answer_to(Encoding::json, encoded(Encoding::json, message));
  return proto == json ? proto : kUnknownReason;
}

/// A small one.
inline Publish publish() {
  return {.seq = 1,
          .id = "m1",
          .to = {.kind = Conversation::Kind::group, .name = "ops"},
          .content = {.kind = Content::Kind::text, .bytes = "hi"}};
}

/// Each kind is tried in each run.
inline void check_each_from_client(void (*property)(const FromClient&)) {
  EXPECT_TRUE(rc::check([&] {
    for (std::size_t kind = 0; kind < std::variant_size_v<FromClient>; ++kind)
      property(any_from_client(kind));
  }));
}
inline void check_each_from_hub(void (*property)(const FromHub&)) {
  EXPECT_TRUE(rc::check([&] {
    for (std::size_t kind = 0; kind < std::variant_size_v<FromHub>; ++kind) property(any_from_hub(kind));
  }));
}

}  // namespace sluice::wire::hub::testing
