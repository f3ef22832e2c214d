#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/ensure.hpp"
#include "hub/gateway/allowance.hpp"
#include "hub/gateway/cost.hpp"
#include "hub/gateway/shard.hpp"

/// How a client comes and goes: Hello, Welcome, what it is told when it is refused, and its end.
namespace sluice::hub {
namespace {

using wire::hub::Conversation;
using wire::hub::Reason;

/// WebSocket close codes that clients branch on: 1000 to 1015 are RFC 6455's, from 4000 on the reason itself.
std::uint16_t close_code(Reason reason) {
  switch (reason) {
    case Reason::malformed:
    case Reason::protocol_violation:
      return 1002;
    case Reason::too_large:
      return 1009;
    case Reason::shutting_down:
      return 1001;
    case Reason::overloaded:
      return 1013;
    default:
      return static_cast<std::uint16_t>(4000 + static_cast<int>(reason));
  }
}

/// Close frames carry 123 bytes (RFC 6455 §5.5). Cut between characters.
std::string close_text(std::string text) {
  constexpr std::size_t kMost = 123;
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

/// Its acknowledgements wait behind what it has said faster than it may, where nothing reads them.
bool Shard::is_late_for_pace(const Connection& connection, Reason reason, TimePoint now) const {
  return reason == Reason::unacknowledged &&
         now - connection.paced_until < settings_.receiver.close_unwritable_after;
}

void Shard::hello(Connection& connection, wire::hub::Hello hello, Moment now) {
  if (draining_) {
    return end(connection, Reason::shutting_down, How::told, "The hub is shutting down.", now);
  }
  auto identity = around_.port.identify(hello, now.wall);
  if (!identity) return end(connection, identity.error().reason, How::told, identity.error().message, now);
  if (auto why = not_a_name("user", identity->user)) {
    const bool from_token = !hello.token.empty();
    return end(connection, from_token ? Reason::token_invalid : Reason::malformed, How::told, std::move(*why),
               now);
  }
  identify_as(connection, std::move(*identity), now);
  const std::string& user = connection.identity.user;
  if (hello.resume) {
    if (auto session = around_.port.session_of(hello.resume->session_token, user)) {
      connection.session = std::move(*session);
    } else {
      hello.resume.reset();  // the Welcome says that nothing is resumed
    }
  }
  if (connection.session.empty()) connection.session = around_.port.new_session();
  connection.hello = std::move(hello);
  connection.state = Connection::State::attaching;
  connection.share = around_.share_of(user);
  connection.receiver.emplace(
      Receiver::Identity{.encoding = connection.encoding, .acknowledges = connection.hello.acknowledges},
      settings_.receiver, *connection.socket,
      std::make_shared<flow::Account>(Bytes::max(), connection.share->memory), books_,
      [this, &connection](const std::vector<flow::Drop>& drops) { return gap_frames(connection, drops); });
  connection.messages.emplace(settings_.per_connection.messages, now.at);
  connection.bytes.emplace(settings_.per_connection.bytes, now.at);
  connection.cost.emplace(cost::rate(settings_.per_connection));
  connection.allowed = allow(connection, now.at);
  connection.socket->charge_to(connection.share->parts);
  post({.kind = Conversation::Kind::user, .name = user},
       mail::Attach{.user = user,
                    .connection = connection.ref,
                    .session = connection.session,
                    .device = connection.hello.device,
                    .connections = connection.allowed.max_connections});
}

/// Sets what a client may do, by its token and the settings of now. Returns it as the client is told.
wire::hub::Limits Shard::allow(Connection& connection, TimePoint now) {
  const Allowance allowed = allowance(connection.identity.limits, settings_);
  connection.messages->set_rate(allowed.connection.messages, now);
  connection.bytes->set_rate(allowed.connection.bytes, now);
  connection.cost->set_rate(cost::rate(allowed.connection), now);
  connection.share->set_rates(allowed.user, now);
  connection.unanswered = allowed.unanswered;
  const auto figure = [](std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
  };
  return {.max_message = limits::kMaxEnvelope,
          .window = settings_.receiver.window,
          .max_groups = figure(settings_.groups_per_connection),
          .messages_per_second = figure(allowed.connection.messages.tokens),
          .bytes_per_second = Bytes{allowed.connection.bytes.tokens},
          .message_burst = figure(allowed.connection.messages.burst),
          .byte_burst = Bytes{allowed.connection.bytes.burst},
          .max_unanswered = figure(allowed.unanswered),
          .max_connections = figure(allowed.connections)};
}

void Shard::attached(mail::Attached mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  if (mail.refused) {
    return end(*connection, *mail.refused, How::told, "This user has too many connections.", now);
  }
  const std::string& user = connection->identity.user;
  connection->welcome =
      wire::hub::Welcome{.user = user,
                         .session = connection->session,
                         .session_token = around_.port.session_token(user, connection->session),
                         .epoch = around_.epoch,
                         .resumed = connection->hello.resume.has_value(),
                         .limits = connection->allowed,
                         .heartbeat_interval_ms = in_ms(settings_.heartbeat),
                         .previous = std::move(mail.previous),
                         .inbox = mail.inbox};
  connection->unacknowledged = std::move(mail.unacknowledged);
  connection->hello.device = std::move(mail.device);
  // Whoever is welcome listens to what is for everyone: the Welcome goes out when that is so.
  subscribe(*connection, {.kind = Conversation::Kind::all}, std::nullopt, false);
}

void Shard::welcome(Connection& connection, Moment now) {
  connection.state = Connection::State::open;
  connection.socket->set_max_message(limits::kMaxRejectedEnvelope);
  say(connection, std::move(*connection.welcome), now);
  connection.welcome.reset();
  const std::optional<wire::hub::Resume> resume = std::exchange(connection.hello.resume, std::nullopt);
  const Conversation inbox{.kind = Conversation::Kind::user, .name = connection.identity.user};
  const auto unacknowledged = std::exchange(connection.unacknowledged, {});
  std::optional<wire::hub::Position> inbox_after;
  if (resume) {
    for (const wire::hub::PositionIn& place : resume->positions) {
      for (const mail::Unacknowledged& sent : unacknowledged) {
        if (sent.of == place.conversation) processed_before(connection, place.position, sent);
      }
      if (place.conversation == inbox) inbox_after = place.position;
    }
  }
  subscribe(connection, inbox, inbox_after, false);
  if (resume) {
    for (const wire::hub::PositionIn& place : resume->positions) {
      if (place.conversation.kind == Conversation::Kind::group) {
        join(connection, {.group = place.conversation.name, .from = place.position}, now);
      }
    }
  }
  around_.observer.on_welcomed(connection);
  settle(connection, now);
}

void Shard::refresh(Connection& connection, const wire::hub::Refresh& refresh, Moment now) {
  auto identity = around_.port.identify({.token = refresh.token}, now.wall);
  if (!identity) {
    return refuse(connection, {.reason = identity.error().reason, .message = identity.error().message}, now);
  }
  if (identity->user != connection.identity.user) {
    return refuse(connection, {.reason = Reason::forbidden, .message = "The token is another user's."}, now);
  }
  identify_as(connection, auth::refreshed(connection.identity, *identity, now.wall), now);
  wire::hub::Refreshed refreshed{.expires_at = connection.identity.expires_at};
  const wire::hub::Limits allowed = allow(connection, now.at);
  if (allowed != connection.allowed) refreshed.limits = connection.allowed = allowed;
  say(connection, refreshed, now);
  std::vector<Conversation> lost;
  for (const auto& [conversation, interest] : connection.interests) {
    const bool is_group = conversation.kind == Conversation::Kind::group;
    if (is_group && !connection.identity.rights.may_join(conversation.name)) lost.push_back(conversation);
  }
  for (const Conversation& conversation : lost) {
    unsubscribe(connection, conversation, now);
    answer_in_turn(connection, conversation.name,
                   wire::hub::Left{.group = conversation.name, .reason = Reason::forbidden}, now);
  }
}

/// The wall clock says what is left of a token when it comes. From then on the steady one counts: a wall
/// clock that is set ends no session, and makes none longer.
void Shard::identify_as(Connection& connection, auth::Identity identity, Moment now) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::years{10};
  forget_expiry(connection);
  connection.identity = std::move(identity);
  if (connection.identity.expires_at == 0) return;
  const std::chrono::milliseconds left{connection.identity.expires_at - now.wall};
  connection.expires = now.at + std::clamp(left, std::chrono::milliseconds{}, kLongest);
  expiries_.emplace(*connection.expires, connection.ref.id);
}

void Shard::forget_expiry(Connection& connection) {
  if (const auto expires = std::exchange(connection.expires, std::nullopt))
    expiries_.erase({*expires, connection.ref.id});
}

void Shard::say(Connection& connection, wire::hub::FromHub message, Moment now) {
  if (connection.state == Connection::State::ended) return;
  const auto* const gap = std::get_if<wire::hub::Gap>(&message);
  const bool counts = gap != nullptr || std::holds_alternative<wire::hub::Delivery>(message);
  const Topic* const about = gap == nullptr ? nullptr : topics_.find(gap->conversation);
  std::vector<wire::hub::FromHub> messages;
  messages.push_back(std::move(message));
  SharedFrames frames = around_.port.encode(messages, connection.encoding);
  if (!connection.receiver) {
    (void)connection.socket->write(
        frames->bytes());  // before the Hello: what a socket does not take is not worth a wait
    return;
  }
  connection.receiver->say(std::move(frames), counts ? Receiver::Counts::yes : Receiver::Counts::no, now.at,
                           about == nullptr ? 0 : about->number());
  if (connection.receiver->is_slow()) slow_.insert(connection.ref.id);
}

void Shard::note_refused(const Connection& connection, Reason reason) {
  ++counts_.refused[static_cast<std::size_t>(reason)];
  around_.observer.on_refused(connection, reason);
}

void Shard::refuse(Connection& connection, wire::hub::Refusal refusal, Moment now) {
  note_refused(connection, refusal.reason);
  connection.charge(cost::kRejection, now.at);
  const std::string group = refusal.group;
  answer_in_turn(connection, group, std::move(refusal), now);
}

/// After anything that may have given it something or made room.
void Shard::settle(Connection& connection, Moment now) {
  if (connection.state == Connection::State::ended || !connection.receiver) return;
  if (const auto seq = connection.answered.take_news()) say(connection, wire::hub::Ack{.seq = *seq}, now);
  read_on(connection);
  tell_presence(connection, now);
  pace(connection, now.at);
  if (const auto reason = connection.receiver->verdict(now.at);
      reason && !is_late_for_pace(connection, *reason, now.at)) {
    return end(connection, *reason, How::cut, "It does not take, or not acknowledge, what it is sent.", now);
  }
  if (connection.receiver->is_slow()) slow_.insert(connection.ref.id);
  // Stop reading from a client whose socket is blocked, that has too many unanswered publishes, or that has
  // used its tokens up. Keep reading when only acknowledgements are missing: they arrive on this very socket.
  const bool stuck = connection.receiver->blocked() && !connection.receiver->writable();
  const bool pause = stuck || connection.answered.open() >= connection.unanswered ||
                     connection.group_answers.waiting() >= limits::kGroupAnswers ||
                     now.at < connection.paced_until;
  if (pause == connection.reading_paused) return;
  connection.reading_paused = pause;
  pause ? connection.socket->pause_reading() : connection.socket->resume_reading();
}

/// Stops reading from a client that has used its tokens up, until there are enough for some more envelopes.
void Shard::pace(Connection& connection, TimePoint now) {
  if (!settings_.rates_enabled) {
    pacing_.remove(connection.ref.id);
    connection.paced_until = std::min(connection.paced_until, now);
    return;
  }
  if (now < connection.paced_until || connection.wait_for_tokens(1, now) == Duration::zero()) return;
  ++counts_.paced;
  connection.paced_until = now + connection.wait_for_tokens(cost::kGoOn, now);
  pacing_.put(connection.ref.id, connection.paced_until);
}

void Shard::end(Connection& connection, Reason reason, How how, std::string message, Moment now) {
  if (connection.state == Connection::State::ended) return;
  wire::hub::Ended ended{.reason = reason, .at = now.wall, .history = std::move(connection.history)};
  if (connection.receiver) {
    const wire::hub::PressureSample last = connection.receiver->sample(now.at);
    ended.waiting = last.waiting + last.unacknowledged;
    ended.oldest_ms = last.oldest_ms;
    ended.history.push_back(last);
    ended.history.back().at = now.wall;
  }
  if (how == How::told) {
    const bool later =
        reason == Reason::shutting_down || reason == Reason::overloaded || reason == Reason::store_failed;
    const std::uint32_t retry_after_ms =
        later ? in_ms(limits::kRetryAfterFull) + static_cast<std::uint32_t>(around_.port.random(4'000)) : 0;
    const SharedFrames kick = around_.port.encode(
        {wire::hub::Kick{.reason = reason, .message = message, .retry_after_ms = retry_after_ms}},
        connection.encoding);
    ByteBuffer last = to_buffer(connection.receiver ? connection.receiver->rest_of_begun() : ByteView{});
    last.insert(last.end(), kick->bytes().begin(), kick->bytes().end());
    connection.socket->close(
        {.code = close_code(reason), .text = close_text(message), .last = std::move(last)});
  } else if (how == How::cut) {
    connection.socket->cut();
  }
  ++counts_.ended[static_cast<std::size_t>(reason)];
  around_.observer.on_ended(connection, ended, message);
  auto sent = unacknowledged(connection);
  while (!connection.interests.empty())
    unsubscribe(connection, connection.interests.begin()->first, now, mail::Unsubscribe::Why::ended);
  if (connection.asked) {
    for (std::string& request : connection.asked->take_all(now.at)) {
      answer_request(std::move(request), {.reason = Reason::offline,
                                          .message = "The client that was asked has left without a reply."});
    }
  }
  std::set<Conversation> abandoned;
  for (auto& [seq, conversation] : connection.awaited) abandoned.insert(std::move(conversation));
  abandoned.merge(connection.hopes);
  for (const Conversation& of : abandoned) post(of, mail::Abandon{.of = of, .from = connection.ref});
  if (connection.state != Connection::State::greeting) {
    post({.kind = Conversation::Kind::user, .name = connection.identity.user},
         mail::Detach{.user = connection.identity.user,
                      .connection = connection.ref,
                      .session = connection.session,
                      .was_welcome = connection.state == Connection::State::open,
                      .ended = std::move(ended),
                      .unacknowledged = std::move(sent),
                      .device = connection.hello.device});
  }
  connection.state = Connection::State::ended;
  connection.receiver.reset();
  slow_.erase(connection.ref.id);
  pacing_.remove(connection.ref.id);
  forget_expiry(connection);
  const auto place = connections_.find(connection.ref.id);
  ENSURE(place != connections_.end());
  if (how == How::told) {
    closing_.emplace(connection.ref.id, std::move(place->second));
  } else {
    ended_.push_back(std::move(place->second));
  }
  connections_.erase(place);
}

}  // namespace sluice::hub
