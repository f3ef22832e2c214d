#include <cstdint>
#include <optional>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/hub_limits.hpp"
#include "wire/hub/schema.hpp"

namespace sluice::wire::hub {
namespace {

/// Takes the fields of one message over and remembers the first that breaks a rule.
class Taker {
 public:
  /// `what` is the message as it is called on the wire; `problem`: one was found before.
  explicit Taker(std::string_view what, std::optional<Error> problem = std::nullopt)
      : what_(what), refused_(std::move(problem)) {}

  std::string name(std::string_view field, const std::string& text) {
    if (!is_name(text)) {
      refuse("`{}.{}` takes 1 to {} bytes of UTF-8 without control characters.", field,
             limits::kMaxName.count());
    }
    return text;
  }

  std::string id(std::string_view field, const std::string& text) {
    if (!is_id(text)) {
      refuse("`{}.{}` takes 1 to {} bytes of UTF-8 without control characters.", field,
             limits::kMaxId.count());
    }
    return text;
  }

  /// May be empty.
  std::string label(std::string_view field, const std::string& text, Bytes most = limits::kMaxId) {
    if (!is_label(text, most)) {
      refuse("`{}.{}` takes at most {} bytes of UTF-8 without control characters.", field, most.count());
    }
    return text;
  }

  /// May be empty.
  std::string token(std::string_view field, const std::string& text) {
    if (text.size() > limits::kMaxToken.count()) {
      refuse("`{}.{}` takes at most {} bytes.", field, limits::kMaxToken.count());
    }
    return text;
  }
  std::string needed_token(std::string_view field, const std::string& text) {
    if (text.empty()) refuse("`{}.{}` is missing.", field);
    return token(field, text);
  }

  std::string explanation(std::string_view field, const std::string& text) {
    if (text.size() > limits::kMaxExplanation.count()) {
      refuse("`{}.{}` takes at most {} bytes.", field, limits::kMaxExplanation.count());
    }
    return text;
  }

  std::uint64_t seq(std::uint64_t value) {
    if (value == 0) refuse("`{}.{}` counts from 1.", "seq");
    return value;
  }

  std::uint64_t place(std::string_view field, std::uint64_t value) {
    if (value > limits::kMaxPosition) refuse("`{}.{}` is past every position.", field);
    return value;
  }
  Position position(std::uint64_t epoch, std::uint64_t offset) {
    return {.epoch = place("epoch", epoch), .offset = place("offset", offset)};
  }

  /// Of a message that has it as `field`.
  Conversation conversation(std::string_view field, const v1::Conversation& in) {
    switch (in.of_case()) {
      case v1::Conversation::kUser:
        return {.kind = Conversation::Kind::user, .name = name("user", in.user())};
      case v1::Conversation::kGroup:
        return {.kind = Conversation::Kind::group, .name = name("group", in.group())};
      case v1::Conversation::kAll:
        if (in.all()) return {.kind = Conversation::Kind::all};
        break;
      case v1::Conversation::OF_NOT_SET:
        break;
    }
    refuse("`{}.{}` names no user, no group, and not all.", field);
    return {};
  }

  Content content(v1::Content& in) {
    if (in.of_case() == v1::Content::kText) {
      return {.kind = Content::Kind::text, .bytes = std::move(*in.mutable_text())};
    }
    return {.kind = Content::Kind::data, .bytes = std::move(*in.mutable_data())};
  }
  Content needed_content(v1::Content& in) {
    if (in.of_case() == v1::Content::OF_NOT_SET) refuse("`{}.{}` has neither text nor data.", "content");
    return content(in);
  }

  /// Any number is a reason; see `kUnknownReason`.
  static Reason reason(int value) {
    return value < 0 || value > 255 ? kUnknownReason : static_cast<Reason>(value);
  }

  Level level(int value) {
    if (value < 0 || value > static_cast<int>(Level::delivered)) {
      refuse_as(Errc::unsupported, "`{}.{}` is not known here.", "level");
      return {};
    }
    return static_cast<Level>(value);
  }

  /// `how_many` of what may be at most `most`.
  void count(std::string_view field, int how_many, std::size_t most) {
    if (std::cmp_greater(how_many, most)) refuse("`{}.{}` has more than {}.", field, most);
  }

  template <typename... Arguments>
  void refuse(fmt::format_string<std::string_view&, const Arguments&...> sentence,
              const Arguments&... arguments) {
    refuse_as(Errc::malformed, sentence, arguments...);
  }

  /// The message that was put together, if nothing was wrong with any of its fields.
  template <typename Whole, typename Message>
  Result<Whole> result(Message message) {
    if (refused_) return fail(std::move(*refused_));
    return Whole{std::move(message)};
  }

 private:
  template <typename... Arguments>
  void refuse_as(Errc code, fmt::format_string<std::string_view&, const Arguments&...> sentence,
                 const Arguments&... arguments) {
    if (!refused_) refused_ = Error{.code = code, .message = fmt::format(sentence, what_, arguments...)};
  }

  std::string_view what_;
  std::optional<Error> refused_;
};

// --- from a client ---

Resume take(Taker& taker, const v1::Resume& in) {
  Resume resume{.session_token = taker.needed_token("resume.session_token", in.session_token())};
  taker.count("resume.positions", in.positions_size(), limits::kMaxPositions);
  for (const v1::Position& place : in.positions()) {
    resume.positions.push_back({.conversation = taker.conversation("resume.positions", place.conversation()),
                                .position = taker.position(place.epoch(), place.offset())});
  }
  return resume;
}

using FromClientOr = std::expected<FromClient, Undecoded>;

Reason reason_for(const Error& error) {
  switch (error.code) {
    case Errc::limit_exceeded:
      return Reason::too_large;
    case Errc::unsupported:
      return Reason::unsupported;
    case Errc::protocol_violation:
      return Reason::protocol_violation;
    default:
      return Reason::malformed;
  }
}

/// A message that was put together, or what its rejection is about.
FromClientOr told_apart(Result<FromClient> taken, Recognized recognized) {
  if (taken) return std::move(*taken);
  Undecoded rejected = undecoded(std::move(taken.error()));
  rejected.recognized = std::move(recognized);
  return std::unexpected(std::move(rejected));
}
FromClientOr not_told_apart(Result<FromClient> taken) {
  if (taken) return std::move(*taken);
  return std::unexpected(undecoded(std::move(taken.error())));
}

/// What may go into an answer as it came.
std::string id_or_nothing(const std::string& text) {
  return is_id(text) ? text : std::string{};
}
std::string name_or_nothing(const std::string& text) {
  return is_name(text) ? text : std::string{};
}

FromClientOr take(v1::Hello& in, std::optional<Error> problem) {
  Taker taker{"hello", std::move(problem)};
  Hello hello{.token = taker.token("token", in.token()),
              .user = taker.label("user", in.user(), limits::kMaxName),
              .acknowledges = in.acknowledges(),
              .agent = taker.label("agent", in.agent(), limits::kMaxExplanation),
              .device = taker.label("device", in.device())};
  if (in.has_resume()) hello.resume = take(taker, in.resume());
  return not_told_apart(taker.result<FromClient>(std::move(hello)));
}

FromClientOr take(v1::Publish& in, std::optional<Error> problem) {
  Taker taker{"publish", std::move(problem)};
  return told_apart(taker.result<FromClient>(Publish{.seq = taker.seq(in.seq()),
                                                     .id = taker.id("id", in.id()),
                                                     .to = taker.conversation("to", in.to()),
                                                     .content = taker.needed_content(*in.mutable_content()),
                                                     .level = taker.level(in.level()),
                                                     .key = taker.label("key", in.key()),
                                                     .ttl_ms = in.ttl_ms()}),
                    {.kind = Recognized::Kind::publish, .seq = in.seq(), .id = id_or_nothing(in.id())});
}

FromClientOr take(v1::Request& in, std::optional<Error> problem) {
  Taker taker{"request", std::move(problem)};
  return told_apart(taker.result<FromClient>(Request{.seq = taker.seq(in.seq()),
                                                     .id = taker.id("id", in.id()),
                                                     .user = taker.name("user", in.user()),
                                                     .content = taker.needed_content(*in.mutable_content()),
                                                     .timeout_ms = in.timeout_ms()}),
                    {.kind = Recognized::Kind::request, .seq = in.seq(), .id = id_or_nothing(in.id())});
}

FromClientOr take(v1::Join& in, std::optional<Error> problem) {
  Taker taker{"join", std::move(problem)};
  Join join{.group = taker.name("group", in.group()), .presence = in.presence()};
  if (in.has_from()) join.from = taker.position(in.from().epoch(), in.from().offset());
  return told_apart(taker.result<FromClient>(std::move(join)), {.group = name_or_nothing(in.group())});
}

FromClientOr take(v1::Leave& in, std::optional<Error> problem) {
  Taker taker{"leave", std::move(problem)};
  return told_apart(taker.result<FromClient>(Leave{.group = taker.name("group", in.group())}),
                    {.group = name_or_nothing(in.group())});
}

FromClientOr take(v1::Pull& in, std::optional<Error> problem) {
  Taker taker{"pull", std::move(problem)};
  if (in.last() != 0 && in.last() < in.first()) taker.refuse("`{}.{}` is before its first.", "last");
  auto taken =
      taker.result<FromClient>(Pull{.conversation = taker.conversation("conversation", in.conversation()),
                                    .epoch = taker.place("epoch", in.epoch()),
                                    .first = taker.place("first", in.first()),
                                    .last = taker.place("last", in.last())});
  const v1::Conversation& of = in.conversation();
  return told_apart(std::move(taken), {.group = name_or_nothing(of.has_user() ? of.user() : of.group())});
}

FromClientOr take(v1::Who& in, std::optional<Error> problem) {
  Taker taker{"who", std::move(problem)};
  return told_apart(taker.result<FromClient>(Who{.group = taker.name("group", in.group())}),
                    {.group = name_or_nothing(in.group())});
}

FromClientOr take(v1::Refresh& in, std::optional<Error> problem) {
  Taker taker{"refresh", std::move(problem)};
  return told_apart(taker.result<FromClient>(Refresh{.token = taker.needed_token("token", in.token())}), {});
}

// --- from the hub ---

Ended take(Taker& taker, const v1::Ended& in) {
  Ended ended{.reason = Taker::reason(in.reason()),
              .at = in.at_ms(),
              .waiting = Bytes{in.bytes_waiting()},
              .oldest_ms = in.oldest_ms()};
  taker.count("previous.history", in.history_size(), limits::kPressureSamples);
  for (const v1::PressureSample& sample : in.history()) {
    ended.history.push_back({.at = sample.at_ms(),
                             .waiting = Bytes{sample.bytes_waiting()},
                             .unacknowledged = Bytes{sample.bytes_unacknowledged()},
                             .oldest_ms = sample.oldest_ms(),
                             .writable = sample.writable()});
  }
  return ended;
}

Limits take(const v1::Limits& in) {
  return {.max_message = Bytes{in.max_message_bytes()},
          .window = Bytes{in.window_bytes()},
          .max_groups = in.max_groups(),
          .messages_per_second = in.messages_per_second(),
          .bytes_per_second = Bytes{in.bytes_per_second()},
          .message_burst = in.message_burst(),
          .byte_burst = Bytes{in.byte_burst()},
          .max_unanswered = in.max_unanswered(),
          .max_connections = in.max_connections()};
}

Result<FromHub> take(v1::Welcome& in) {
  Taker taker{"welcome"};
  Welcome welcome{.user = taker.name("user", in.user()),
                  .session = taker.name("session", in.session()),
                  .session_token = taker.token("session_token", in.session_token()),
                  .epoch = taker.place("epoch", in.epoch()),
                  .resumed = in.resumed(),
                  .limits = take(in.limits()),
                  .heartbeat_interval_ms = in.heartbeat_interval_ms(),
                  .inbox = taker.position(in.inbox().epoch(), in.inbox().offset())};
  if (in.has_previous()) welcome.previous = take(taker, in.previous());
  return taker.result<FromHub>(std::move(welcome));
}

Result<FromHub> take(v1::Delivery& in) {
  Taker taker{"delivery"};
  return taker.result<FromHub>(Delivery{.from = taker.name("from", in.from()),
                                        .to = taker.conversation("to", in.to()),
                                        .id = taker.id("id", in.id()),
                                        .position = taker.position(in.epoch(), in.offset()),
                                        .sent_at = in.sent_at_ms(),
                                        .content = taker.content(*in.mutable_content()),
                                        .key = taker.label("key", in.key()),
                                        .critical = in.critical(),
                                        .replayed = in.replayed(),
                                        .request = taker.label("request", in.request()),
                                        .timeout_ms = in.timeout_ms()});
}

Result<FromHub> take(v1::Receipt& in) {
  Taker taker{"receipt"};
  return taker.result<FromHub>(Receipt{.seq = in.seq(),
                                       .id = taker.label("id", in.id()),
                                       .level = taker.level(in.level()),
                                       .reason = Taker::reason(in.reason()),
                                       .message = taker.explanation("message", in.message()),
                                       .retry_after_ms = in.retry_after_ms(),
                                       .position = taker.position(in.epoch(), in.offset()),
                                       .duplicate = in.duplicate()});
}

Result<FromHub> take(v1::Gap& in) {
  Taker taker{"gap"};
  Gap gap{.conversation = taker.conversation("conversation", in.conversation()),
          .epoch = taker.place("epoch", in.epoch()),
          .first = taker.place("first", in.first()),
          .last = taker.place("last", in.last()),
          .count = in.count(),
          .reason = Taker::reason(in.reason()),
          .gone = in.gone()};
  if (in.has_from()) gap.from = taker.position(in.from().epoch(), in.from().offset());
  return taker.result<FromHub>(std::move(gap));
}

Result<FromHub> take(v1::Joined& in) {
  Taker taker{"joined"};
  return taker.result<FromHub>(Joined{.group = taker.name("group", in.group()),
                                      .position = taker.position(in.epoch(), in.offset()),
                                      .members = in.members()});
}

Result<FromHub> take(v1::Left& in) {
  Taker taker{"left"};
  return taker.result<FromHub>(
      Left{.group = taker.name("group", in.group()), .reason = Taker::reason(in.reason())});
}

Result<FromHub> take(v1::Pulled& in) {
  Taker taker{"pulled"};
  return taker.result<FromHub>(Pulled{.conversation = taker.conversation("conversation", in.conversation()),
                                      .last = taker.position(in.epoch(), in.last()),
                                      .more = in.more()});
}

Result<FromHub> take(v1::Members& in) {
  Taker taker{"members"};
  Members members{.group = taker.name("group", in.group()), .more = in.more()};
  taker.count("users", in.users_size(), limits::kMaxMembersNamed);
  for (const std::string& user : in.users()) members.users.push_back(taker.name("users", user));
  return taker.result<FromHub>(std::move(members));
}

Result<FromHub> take(v1::Presence& in) {
  Taker taker{"presence"};
  return taker.result<FromHub>(Presence{.group = taker.name("group", in.group()),
                                        .user = taker.name("user", in.user()),
                                        .online = in.online()});
}

Result<FromHub> take(v1::Error& in) {
  Taker taker{"error"};
  return taker.result<FromHub>(Refusal{.reason = Taker::reason(in.reason()),
                                       .message = taker.explanation("message", in.message()),
                                       .retry_after_ms = in.retry_after_ms(),
                                       .seq = in.seq(),
                                       .group = taker.label("group", in.group(), limits::kMaxName)});
}

Result<FromHub> take(v1::Kick& in) {
  Taker taker{"kick"};
  return taker.result<FromHub>(Kick{.reason = Taker::reason(in.reason()),
                                    .message = taker.explanation("message", in.message()),
                                    .retry_after_ms = in.retry_after_ms()});
}

// --- from both ---

template <typename Whole>
Result<Whole> take_reply(v1::Reply& in, std::optional<Error> problem = std::nullopt) {
  Taker taker{"reply", std::move(problem)};
  const Reason reason = Taker::reason(in.reason());
  v1::Content& content = *in.mutable_content();
  return taker.result<Whole>(
      Reply{.request = taker.id("request", in.request()),
            .content = reason == Reason::none ? taker.needed_content(content) : taker.content(content),
            .reason = reason,
            .message = taker.explanation("message", in.message()),
            .retry_after_ms = in.retry_after_ms()});
}

/// A message that needs no answer, and so gets none that would say what is wrong with it.
template <typename Message>
FromClientOr take_unanswered(Message message, std::optional<Error> problem) {
  if (problem) return std::unexpected(undecoded(std::move(*problem)));
  return message;
}

template <typename Whole>
Result<Whole> nothing_known() {
  return fail(Errc::unsupported, "It has none of the messages that are known here.");
}

template <typename Whole>
Result<Whole> wrong_side() {
  return fail(Errc::protocol_violation, "Only the other side says that.");
}

}  // namespace

Undecoded undecoded(Error error) {
  return {.reason = reason_for(error), .message = std::move(error.message)};
}

std::expected<FromClient, Undecoded> take_from_client(v1::Envelope& envelope, std::optional<Error> problem) {
  switch (envelope.body_case()) {
    case v1::Envelope::kHello:
      return take(*envelope.mutable_hello(), std::move(problem));
    case v1::Envelope::kPublish:
      return take(*envelope.mutable_publish(), std::move(problem));
    case v1::Envelope::kRequest:
      return take(*envelope.mutable_request(), std::move(problem));
    case v1::Envelope::kJoin:
      return take(*envelope.mutable_join(), std::move(problem));
    case v1::Envelope::kLeave:
      return take(*envelope.mutable_leave(), std::move(problem));
    case v1::Envelope::kPull:
      return take(*envelope.mutable_pull(), std::move(problem));
    case v1::Envelope::kWho:
      return take(*envelope.mutable_who(), std::move(problem));
    case v1::Envelope::kRefresh:
      return take(*envelope.mutable_refresh(), std::move(problem));
    case v1::Envelope::kReply: {
      v1::Reply& reply = *envelope.mutable_reply();
      auto taken = take_reply<FromClient>(reply, std::move(problem));
      return told_apart(std::move(taken),
                        {.kind = Recognized::Kind::reply, .id = id_or_nothing(reply.request())});
    }
    case v1::Envelope::kAck:
      return take_unanswered(Ack{.seq = envelope.ack().seq()}, std::move(problem));
    case v1::Envelope::kPing:
      return take_unanswered(Ping{.nonce = envelope.ping().nonce()}, std::move(problem));
    case v1::Envelope::kPong:
      return take_unanswered(Pong{.nonce = envelope.pong().nonce()}, std::move(problem));
    case v1::Envelope::BODY_NOT_SET:
      return not_told_apart(problem ? fail(std::move(*problem)) : nothing_known<FromClient>());
    default:
      return not_told_apart(wrong_side<FromClient>());
  }
}

Result<FromHub> take_from_hub(v1::Envelope& envelope) {
  switch (envelope.body_case()) {
    case v1::Envelope::kWelcome:
      return take(*envelope.mutable_welcome());
    case v1::Envelope::kDelivery:
      return take(*envelope.mutable_delivery());
    case v1::Envelope::kReceipt:
      return take(*envelope.mutable_receipt());
    case v1::Envelope::kGap:
      return take(*envelope.mutable_gap());
    case v1::Envelope::kJoined:
      return take(*envelope.mutable_joined());
    case v1::Envelope::kLeft:
      return take(*envelope.mutable_left());
    case v1::Envelope::kPulled:
      return take(*envelope.mutable_pulled());
    case v1::Envelope::kMembers:
      return take(*envelope.mutable_members());
    case v1::Envelope::kPresence:
      return take(*envelope.mutable_presence());
    case v1::Envelope::kRefreshed:
      return Refreshed{.expires_at = envelope.refreshed().expires_at_ms(),
                       .limits = envelope.refreshed().has_limits()
                                     ? std::optional{take(envelope.refreshed().limits())}
                                     : std::nullopt};
    case v1::Envelope::kError:
      return take(*envelope.mutable_error());
    case v1::Envelope::kKick:
      return take(*envelope.mutable_kick());
    case v1::Envelope::kReply:
      return take_reply<FromHub>(*envelope.mutable_reply());
    case v1::Envelope::kAck:
      return Ack{.seq = envelope.ack().seq()};
    case v1::Envelope::kPing:
      return Ping{.nonce = envelope.ping().nonce()};
    case v1::Envelope::kPong:
      return Pong{.nonce = envelope.pong().nonce()};
    case v1::Envelope::BODY_NOT_SET:
      return nothing_known<FromHub>();
    default:
      return wrong_side<FromHub>();
  }
}

}  // namespace sluice::wire::hub
