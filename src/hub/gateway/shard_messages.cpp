#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "hub/gateway/cost.hpp"
#include "hub/gateway/shard.hpp"

/// What clients send each other: publishes, their receipts and acknowledgements, requests and replies.
namespace sluice::hub {
namespace {

using wire::hub::Conversation;
using wire::hub::Reason;

bool has_expired(const Connection& connection, Moment now) {
  return connection.expires && now.at >= *connection.expires;
}

/// What a request is known by on its way: whose it is, and which of theirs.
std::string promise_id(ConnectionRef asker, std::uint64_t number) {
  return fmt::format("{}.{}.{}", asker.shard, asker.id, number);
}

struct PromiseId {
  ConnectionRef asker;
  std::uint64_t number = 0;
};
std::optional<PromiseId> parse_promise_id(std::string_view text) {
  PromiseId id;
  std::uint64_t* const parts[] = {nullptr, &id.asker.id, &id.number};
  std::uint64_t shard = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    std::uint64_t& part = i == 0 ? shard : *parts[i];
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, part);
    if (error != std::errc{}) return std::nullopt;
    text = {rest, end};
    if (i < 2) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
  }
  if (!text.empty() || shard > UINT16_MAX) return std::nullopt;
  id.asker.shard = static_cast<ShardId>(shard);
  return id;
}

}  // namespace

std::optional<Duration> Shard::limited(Connection& connection, std::size_t size, Moment now) {
  if (!settings_.rates_enabled) return std::nullopt;
  const std::uint64_t bytes = std::min<std::uint64_t>(size, connection.bytes->burst());
  UserShare& share = *connection.share;
  const Duration wait =
      std::max({connection.messages->wait_for(1, now.at), connection.bytes->wait_for(bytes, now.at),
                share.messages.wait_for(1, now.at), share.bytes.wait_for(bytes, now.at)});
  if (wait > Duration::zero()) return wait;
  (void)connection.messages->take(1, now.at);
  (void)connection.bytes->take(bytes, now.at);
  share.messages.take(1, now.at);
  share.bytes.take(bytes, now.at);
  return std::nullopt;
}

/// The process's memory, or what this user has sent faster than it goes on.
bool Shard::memory_is_short(const Connection& connection) const {
  return settings_.memory_enabled && connection.share->sent->over();
}

/// With jitter: all whom it is told to would come back at once.
Duration Shard::wait_for_memory() {
  return limits::kRetryAfterFull + std::chrono::milliseconds{around_.port.random(1'000)};
}

bool Shard::paced(Connection& connection, std::size_t size, const std::string& group, Moment now) {
  const auto wait = limited(connection, size, now);
  if (wait) {
    refuse(connection,
           {.reason = Reason::rate_limited,
            .message = "You ask faster than you may.",
            .retry_after_ms = in_ms(*wait),
            .group = group},
           now);
  }
  return !wait;
}

/// Who asks for more than what already comes needs a token that is good, and is paced.
bool Shard::may_ask(Connection& connection, std::size_t size, const std::string& group, Moment now) {
  if (has_expired(connection, now)) {
    refuse(connection,
           {.reason = Reason::token_expired,
            .message = "Your token has expired: send a Refresh.",
            .group = group},
           now);
    return false;
  }
  return paced(connection, size, group, now);
}

void Shard::publish(Connection& connection, wire::hub::Publish publish, std::size_t size, Moment now) {
  if (!connection.answered.begin(publish.seq)) {
    return end(connection, Reason::protocol_violation, How::told,
               "A seq that is not greater than the one before.", now);
  }
  const auto no = [&](Reason reason, std::string message, Duration retry_after = {}) {
    ++counts_.refused[static_cast<std::size_t>(reason)];
    around_.observer.on_refused(connection, reason);
    connection.charge(cost::kRejection, now.at);
    connection.answered.finish(publish.seq);
    say(connection,
        wire::hub::Receipt{.seq = publish.seq,
                           .id = publish.id,
                           .reason = reason,
                           .message = std::move(message),
                           .retry_after_ms = in_ms(retry_after)},
        now);
  };
  const auth::Identity& identity = connection.identity;
  if (auto why = not_a_name("publish.to", publish.to.name)) return no(Reason::malformed, std::move(*why));
  if (has_expired(connection, now))
    return no(Reason::token_expired, "Your token has expired: send a Refresh.");
  if (!identity.rights.may_publish(publish.to)) return no(Reason::forbidden, "You may not publish there.");
  const bool awaits_delivery = publish.level == wire::hub::Level::delivered;
  if (awaits_delivery && connection.awaited.size() >= limits::kAwaitedOfConnection) {
    return no(Reason::too_many_requests, "Too many of your messages wait for their delivery.",
              limits::kRetryAfterFull);
  }
  if (const auto wait = limited(connection, size, now)) {
    return no(Reason::rate_limited, "You publish faster than you may.", *wait);
  }
  if (memory_is_short(connection)) {
    return no(Reason::overloaded, "The hub cannot take more for now.", wait_for_memory());
  }
  ++counts_.accepted;
  const Conversation to = publish.to;
  if (awaits_delivery) connection.awaited.emplace(publish.seq, to);
  post(to, mail::Publish{.to = to,
                         .incoming = {.from = connection.ref,
                                      .user = identity.user,
                                      .publish = std::move(publish),
                                      .share = connection.share},
                         .memory = {connection.share->sent, Bytes{size}}});
}

/// What a home, or another client, has to say to one of ours.
void Shard::answer(mail::Answer mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  if (const auto* const receipt = std::get_if<wire::hub::Receipt>(&mail.what)) {
    connection->answered.finish(receipt->seq);
    const bool told_by_ack = receipt->reason == Reason::none &&
                             receipt->level == wire::hub::Level::accepted && !receipt->duplicate;
    if (receipt->reason != Reason::none) ++counts_.refused[static_cast<std::size_t>(receipt->reason)];
    if (!told_by_ack) {
      note_awaited(*connection, *receipt);
      say(*connection, std::move(mail.what), now);
    }
  } else if (auto* const reply = std::get_if<wire::hub::Reply>(&mail.what)) {
    // From another client it has the number of the promise, from a home the asker's own id.
    if (const auto id = parse_promise_id(reply->request); id && connection->promises.contains(id->number)) {
      reply->request = connection->promises.extract(id->number).mapped().id;
      say(*connection, std::move(*reply), now);
    }
  } else if (auto* const members = std::get_if<wire::hub::Members>(&mail.what)) {
    const std::string group = members->group;
    connection->charge(members->users.size() / cost::kUsersPerToken, now.at);
    home_answered(*connection, group, std::move(*members), now);
  } else {
    say(*connection, std::move(mail.what), now);
  }
  unsettled_.insert(connection->ref.id);
}

/// A second copy that asks for its delivery may be told of it later, beside its receipt. It does not count
/// among those that wait: perhaps nothing comes.
void Shard::note_awaited(Connection& connection, const wire::hub::Receipt& receipt) {
  const auto awaited = connection.awaited.extract(receipt.seq);
  const bool may_come = !awaited.empty() && receipt.reason == Reason::none && receipt.duplicate &&
                        receipt.level < wire::hub::Level::delivered;
  if (!may_come) return;
  if (connection.hopes.size() < limits::kAwaitedOfConnection) {
    connection.hopes.insert(awaited.mapped());
  } else if (!connection.hopes.contains(awaited.mapped()) &&
             std::ranges::none_of(connection.awaited,
                                  [&](const auto& each) { return each.second == awaited.mapped(); })) {
    post(awaited.mapped(), mail::Abandon{.of = awaited.mapped(), .from = connection.ref});
  }
}

void Shard::ack(Connection& connection, const wire::hub::Ack& ack, Moment now) {
  if (ack.seq <= connection.acknowledged) connection.charge(1 + cost::kAnswer, now.at);
  connection.acknowledged = std::max(connection.acknowledged, ack.seq);
  auto processed = connection.receiver->on_ack(ack.seq, now.at);
  if (!processed)
    return end(connection, Reason::protocol_violation, How::told, processed.error().message, now);
  for (Receiver::Processed& done : *processed) {
    const Topic* const topic = topics_.find(done.source);
    if (topic == nullptr) continue;
    const auto interest = connection.interests.find(topic->conversation());
    if (interest == connection.interests.end()) continue;
    post(topic->conversation(), mail::Processed{.of = topic->conversation(),
                                                .up_to = interest->second->epochs.position(done.last),
                                                .received = std::move(done.received),
                                                .device = connection.hello.device});
  }
}

/// What its session may come back for. Of many stretches the last are left out: who waits for the delivery of
/// those learns nothing of it.
std::vector<mail::Unacknowledged> Shard::unacknowledged(const Connection& connection) {
  constexpr std::size_t kMost = 32;
  std::vector<mail::Unacknowledged> all;
  if (!connection.receiver) return all;
  std::size_t stretches = 0;
  for (Receiver::Processed& sent : connection.receiver->unacknowledged_deliveries()) {
    const Topic* const topic = topics_.find(sent.source);
    if (topic == nullptr) continue;
    const auto interest = connection.interests.find(topic->conversation());
    if (interest == connection.interests.end()) continue;
    stretches += sent.received.size();
    if (stretches > kMost) break;
    all.push_back({.of = topic->conversation(),
                   .epoch = interest->second->epochs.position(sent.last).epoch,
                   .sent = std::move(sent.received)});
  }
  return all;
}

/// Whose acknowledgement was lost with its connection says with the position of its next one what it has
/// processed.
void Shard::processed_before(const Connection& connection, const wire::hub::Position& reached,
                             const mail::Unacknowledged& sent) {
  if (reached.epoch != sent.epoch) return;
  mail::Processed processed{
      .of = sent.of, .up_to = {.epoch = reached.epoch}, .device = connection.hello.device};
  for (const Stretch& stretch : sent.sent) {
    if (stretch.first > reached.offset) continue;
    const std::uint64_t last = std::min(stretch.last, reached.offset);
    processed.received.push_back({.first = stretch.first, .last = last});
    processed.up_to.offset = std::max(processed.up_to.offset, last);
  }
  if (!processed.received.empty()) post(sent.of, std::move(processed));
}

void Shard::ask(Connection& connection, wire::hub::Request request, std::size_t size, Moment now) {
  if (!connection.answered.begin(request.seq)) {
    return end(connection, Reason::protocol_violation, How::told,
               "A seq that is not greater than the one before.", now);
  }
  connection.answered.finish(request.seq);  // its Reply is the answer
  const auto no = [&](Reason reason, std::string message, Duration retry_after = {}) {
    ++counts_.refused[static_cast<std::size_t>(reason)];
    around_.observer.on_refused(connection, reason);
    connection.charge(cost::kRejection, now.at);
    say(connection,
        wire::hub::Reply{.request = request.id,
                         .reason = reason,
                         .message = std::move(message),
                         .retry_after_ms = in_ms(retry_after)},
        now);
  };
  if (auto why = not_a_name("request.user", request.user)) return no(Reason::malformed, std::move(*why));
  if (has_expired(connection, now))
    return no(Reason::token_expired, "Your token has expired: send a Refresh.");
  if (!connection.identity.rights.may_ask(request.user))
    return no(Reason::forbidden, "You may not ask this user.");
  if (connection.promises.size() >= settings_.requests_per_connection) {
    return no(Reason::too_many_requests, "Too many of your requests wait for their replies.");
  }
  if (const auto wait = limited(connection, size, now))
    return no(Reason::rate_limited, "You ask faster than you may.", *wait);
  if (memory_is_short(connection))
    return no(Reason::overloaded, "The hub cannot take more for now.", wait_for_memory());
  const Duration asked = std::chrono::milliseconds{request.timeout_ms};
  const Duration timeout = asked == Duration::zero() ? limits::kRequestTimeout
                                                     : std::min<Duration>(asked, limits::kMaxRequestTimeout);
  const std::uint64_t number = ++connection.last_promise;
  connection.promises.emplace(number,
                              Promise{.id = request.id, .of = request.user, .deadline = now.at + timeout});
  slow_.insert(connection.ref.id);  // the sweep looks at its deadline
  request.timeout_ms = in_ms(timeout);
  const Conversation home{.kind = Conversation::Kind::user, .name = request.user};
  post(home, mail::Ask{.from = connection.ref,
                       .user = connection.identity.user,
                       .promise = promise_id(connection.ref, number),
                       .request = std::move(request),
                       .memory = {connection.share->sent, Bytes{size}}});
}

void Shard::deliver_request(mail::DeliverRequest mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection != nullptr && connection->state == Connection::State::open) {
    const Bytes size = Bytes{mail.delivery.content.bytes.size()} + limits::kEnvelopeNames;
    if (!connection->receiver->has_room_for_request(size)) {
      ++counts_.refused[static_cast<std::size_t>(Reason::overloaded)];
      return answer_request(std::move(mail.delivery.request),
                            {.reason = Reason::overloaded,
                             .message = "The user's client does not take more for now.",
                             .retry_after_ms = in_ms(wait_for_memory())});
    }
    const Duration timeout = std::chrono::milliseconds{mail.delivery.timeout_ms};
    if (!connection->asked) connection->asked = std::make_unique<Asked>();
    if (!connection->asked->add(mail.delivery.request, mail.delivery.from, now.at + timeout, now.at)) {
      ++counts_.refused[static_cast<std::size_t>(Reason::too_many_requests)];
      return answer_request(std::move(mail.delivery.request),
                            {.reason = Reason::too_many_requests,
                             .message = "Too many of your requests wait for this user's replies.",
                             .retry_after_ms = in_ms(limits::kRetryAfterFull)});
    }
    mail.delivery.sent_at = now.wall;
    say(*connection, std::move(mail.delivery), now);
    unsettled_.insert(connection->ref.id);
    return;
  }
  ask_another(std::move(mail));
}

/// Back to the user's home, which by now knows that this connection has ended, for another one of theirs.
void Shard::ask_another(mail::DeliverRequest mail) {
  const auto id = parse_promise_id(mail.delivery.request);
  if (!id) return;
  mail.tried.push_back(mail.to);
  const Conversation home = mail.delivery.to;
  wire::hub::Delivery& delivery = mail.delivery;
  post(home, mail::Ask{.from = id->asker,
                       .user = std::move(delivery.from),
                       .promise = std::move(delivery.request),
                       .request = {.id = std::move(delivery.id),
                                   .user = home.name,
                                   .content = std::move(delivery.content),
                                   .timeout_ms = delivery.timeout_ms},
                       .tried = std::move(mail.tried),
                       .memory = std::move(mail.memory)});
}

/// In place of the client that was asked.
void Shard::answer_request(std::string promise, wire::hub::Reply reply) {
  const auto id = parse_promise_id(promise);
  if (!id) return;
  reply.request = std::move(promise);
  around_.port.post(id->asker.shard, mail::Answer{.to = id->asker, .what = std::move(reply)});
}

bool Shard::reply(Connection& connection, wire::hub::Reply reply, std::size_t size, Moment now) {
  const auto id = parse_promise_id(reply.request);
  if (!id || id->asker.shard >= around_.shards) {
    refuse(connection, {.reason = Reason::malformed, .message = "There is no such request."}, now);
    return false;
  }
  if (connection.asked) connection.asked->answered(reply.request);
  // Whoever guesses the number of somebody else's request must not answer it.
  around_.port.post(id->asker.shard, mail::ReplyFrom{.to = id->asker,
                                                     .user = connection.identity.user,
                                                     .reply = std::move(reply),
                                                     .memory = {connection.share->sent, Bytes{size}}});
  return true;
}

void Shard::reply_from(mail::ReplyFrom mail, Moment now) {
  Connection* const connection = live(mail.to);
  const auto id = parse_promise_id(mail.reply.request);
  if (connection == nullptr || !id) return;
  const auto promise = connection->promises.find(id->number);
  if (promise == connection->promises.end() || promise->second.of != mail.user)
    return;  // too late, or a guess
  mail.reply.request = std::move(promise->second.id);
  connection->promises.erase(promise);
  if (!connection->receiver->has_room_for_reply(Bytes{mail.reply.content.bytes.size()})) {
    ++counts_.refused[static_cast<std::size_t>(Reason::overloaded)];
    mail.reply = {.request = std::move(mail.reply.request),
                  .reason = Reason::overloaded,
                  .message = "The reply came, and too much waits for you: read faster."};
  }
  say(*connection, std::move(mail.reply), now);
  unsettled_.insert(connection->ref.id);
}

}  // namespace sluice::hub
