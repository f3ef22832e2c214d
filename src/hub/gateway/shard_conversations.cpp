#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "hub/gateway/shard.hpp"

/// What a client listens to: joining and leaving, catching up from the log, gaps and pulls, presence.
namespace sluice::hub {
namespace {

using wire::hub::Conversation;
using wire::hub::Position;
using wire::hub::Reason;

Reason reason_of(flow::DropReason reason) {
  switch (reason) {
    case flow::DropReason::newest:
      return Reason::dropped_newest;
    case flow::DropReason::oldest:
      return Reason::dropped_oldest;
    case flow::DropReason::conflated:
      return Reason::conflated;
    case flow::DropReason::shed:
      return Reason::shed;
  }
  return Reason::none;
}

Conversation group(const std::string& name) {
  return {.kind = Conversation::Kind::group, .name = name};
}

}  // namespace

void Shard::join(Connection& connection, const wire::hub::Join& join, Moment now) {
  const auto no = [&](Reason reason, std::string message) {
    refuse(connection, {.reason = reason, .message = std::move(message), .group = join.group}, now);
  };
  if (!connection.identity.rights.may_join(join.group))
    return no(Reason::forbidden, "You may not join this group.");
  if (connection.interests.contains(group(join.group))) {
    return no(Reason::protocol_violation, "You are in this group already.");
  }
  // Two of them are the inbox and what is for everyone.
  if (connection.interests.size() >= settings_.groups_per_connection + 2) {
    return no(Reason::too_many_groups, "You are in as many groups as you may be in.");
  }
  subscribe(connection, group(join.group), join.from, join.presence);
}

void Shard::leave(Connection& connection, const wire::hub::Leave& leave, Moment now) {
  if (!connection.interests.contains(group(leave.group))) {
    return refuse(
        connection,
        {.reason = Reason::not_member, .message = "You are not in this group.", .group = leave.group}, now);
  }
  unsubscribe(connection, group(leave.group), now);
  say(connection, wire::hub::Left{.group = leave.group}, now);
}

void Shard::subscribe(Connection& connection, const Conversation& to, std::optional<Position> after,
                      bool presence) {
  auto interest = std::make_unique<Interest>(around_.epoch);
  interest->subscription.receiver = &*connection.receiver;
  interest->subscription.owner = connection.ref.id;
  interest->subscription.presence = presence;
  interest->subscription.reading = after.has_value() || to.kind == Conversation::Kind::user;
  interest->replayed_to = after.value_or(Position{});
  topics_.add(topics_.of(to), interest->subscription);
  connection.interests.emplace(to, std::move(interest));
  post(to, mail::Subscribe{.to = to,
                           .from = connection.ref,
                           .encoding = connection.encoding,
                           .user = connection.identity.user,
                           .after = after,
                           .presence = presence});
}

void Shard::unsubscribe(Connection& connection, const Conversation& to, Moment now) {
  auto interest = connection.interests.extract(to);
  ENSURE(!interest.empty());
  Subscription& subscription = interest.mapped()->subscription;
  connection.receiver->forget(subscription.topic->number(), now.at);
  topics_.remove(subscription);
  post(interest.key(), mail::Unsubscribe{.to = interest.key(),
                                         .from = connection.ref,
                                         .encoding = connection.encoding,
                                         .user = connection.identity.user,
                                         .presence = subscription.presence});
}

void Shard::subscribed(mail::Subscribed mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  const auto found = connection->interests.find(mail.conversation);
  if (found == connection->interests.end()) return;
  const bool is_group = mail.conversation.kind == Conversation::Kind::group;
  if (mail.refused) {
    unsubscribe(*connection, mail.conversation, now);
    return refuse(
        *connection,
        {.reason = *mail.refused, .message = "The hub cannot read its log.", .group = mail.conversation.name},
        now);
  }
  Interest& interest = *found->second;
  interest.replied = true;
  if (!interest.subscription.reading) {
    interest.subscription.live = true;
    interest.subscription.last = mail.head.offset;
    interest.epochs.note({.epoch = mail.head.epoch, .offset = mail.head.offset + 1});
  }
  if (is_group) {
    say(*connection,
        wire::hub::Joined{.group = mail.conversation.name, .position = mail.head, .members = mail.members},
        now);
  }
  unsettled_.insert(connection->ref.id);
}

void Shard::page(mail::Page mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  const auto found = connection->interests.find(mail.of);
  if (found == connection->interests.end()) return;
  unsettled_.insert(connection->ref.id);
  const bool is_pull = mail.purpose == mail::Read::Purpose::pull;
  Interest& interest = *found->second;
  if (!mail.page) {
    if (is_pull) connection->pulling = false;
    interest.subscription.reading = interest.subscription.reading && is_pull;
    return refuse(*connection,
                  {.reason = Reason::store_failed,
                   .message = mail.page.error().message,
                   .retry_after_ms = 1'000,
                   .group = mail.of.name},
                  now);
  }
  LogPage& page = *mail.page;
  if (is_pull) {
    std::erase_if(page.messages, [&](const LoggedMessage& message) {
      return mail.last != 0 && message.delivery.position.offset > mail.last;
    });
  }
  tell_lost(*connection, interest, mail, now);
  Position reached = mail.asked_after;
  for (LoggedMessage& message : page.messages) {
    reached = message.delivery.position;
    if (message.expires_at != 0 && message.expires_at <= now.wall) continue;  // worthless by now
    replay(*connection, interest, std::move(message.delivery), now);
  }
  if (is_pull) {
    connection->pulling = false;
    return say(*connection, wire::hub::Pulled{.conversation = mail.of, .last = reached, .more = page.more},
               now);
  }
  interest.subscription.reading = false;
  interest.replayed_to = reached;
  if (!page.more) {
    interest.subscription.live = true;
    interest.subscription.last = mail.head.offset;
    interest.epochs.note({.epoch = mail.head.epoch, .offset = mail.head.offset + 1});
  }
}

/// What was asked for and is not in the log any more, or never was.
void Shard::tell_lost(Connection& connection, Interest& interest, const mail::Page& mail, Moment now) {
  const LogPage& page = *mail.page;
  const bool nothing = page.messages.empty();
  const Position next = nothing ? Position{.epoch = mail.head.epoch, .offset = mail.head.offset + 1}
                                : page.messages.front().delivery.position;
  // Without an earlier position nothing is missed: it is the first time.
  if (mail.asked_after == Position{} || next.offset <= mail.asked_after.offset + 1) return;
  const std::uint64_t first = mail.asked_after.offset + 1;
  std::uint64_t last = next.offset - 1;
  if (mail.purpose == mail::Read::Purpose::pull && mail.last != 0) last = std::min(last, mail.last);
  if (last < first) return;
  interest.epochs.note({.epoch = next.epoch, .offset = first});
  say(connection,
      wire::hub::Gap{.conversation = mail.of,
                     .epoch = next.epoch,
                     .first = first,
                     .last = last,
                     .count = last - first + 1,
                     .reason = Reason::expired,
                     .gone = true},
      now);
}

/// One message out of the log, for one client. It is not dropped: pages are asked for when there is room.
void Shard::replay(Connection& connection, Interest& interest, wire::hub::Delivery delivery, Moment now) {
  delivery.replayed = true;
  const Position position = delivery.position;
  interest.epochs.note(position);
  Batch batch{
      .epoch = position.epoch, .first = position.offset, .count = 1, .urgency = flow::Urgency::critical};
  std::vector<wire::hub::FromHub> messages;
  messages.push_back(std::move(delivery));
  batch.frames[static_cast<std::size_t>(connection.encoding)] =
      around_.port.encode(messages, connection.encoding);
  connection.receiver->deliver(interest.subscription.topic->number(), batch, now.at);
  if (connection.receiver->is_slow()) slow_.insert(connection.ref.id);
}

/// Asks for the next pages of what catches up, when there is room for them.
void Shard::read_on(Connection& connection, Moment) {
  for (const auto& [conversation, interest] : connection.interests) {
    if (!connection.receiver->has_room()) return;
    Subscription& subscription = interest->subscription;
    if (subscription.live || subscription.reading || !interest->replied) continue;
    subscription.reading = true;
    post(conversation,
         mail::Read{.of = conversation, .from = connection.ref, .after = interest->replayed_to});
    return;  // one at a time
  }
}

void Shard::pull(Connection& connection, const wire::hub::Pull& pull, Moment now) {
  const auto no = [&](Reason reason, std::string message, std::uint32_t retry_after_ms = 0) {
    refuse(connection,
           {.reason = reason,
            .message = std::move(message),
            .retry_after_ms = retry_after_ms,
            .group = pull.conversation.name},
           now);
  };
  if (!connection.interests.contains(pull.conversation)) {
    return no(Reason::not_member, "You listen to no such conversation.");
  }
  if (connection.pulling || !connection.receiver->has_room()) {
    return no(Reason::rate_limited, "One pull after the other, when you have taken what you were sent.", 100);
  }
  if (limited(connection, 0, now)) return no(Reason::rate_limited, "You ask faster than you may.", 1'000);
  connection.pulling = true;
  const std::uint64_t before = pull.first == 0 ? 0 : pull.first - 1;
  post(pull.conversation, mail::Read{.of = pull.conversation,
                                     .from = connection.ref,
                                     .after = {.epoch = pull.epoch, .offset = before},
                                     .purpose = mail::Read::Purpose::pull,
                                     .last = pull.last});
}

void Shard::who(Connection& connection, const wire::hub::Who& who, Moment now) {
  if (!connection.interests.contains(group(who.group))) {
    return refuse(connection,
                  {.reason = Reason::not_member, .message = "You are not in this group.", .group = who.group},
                  now);
  }
  if (limited(connection, 0, now)) {
    return refuse(
        connection,
        {.reason = Reason::rate_limited, .message = "You ask faster than you may.", .group = who.group}, now);
  }
  post(group(who.group), mail::AskWho{.of = group(who.group), .from = connection.ref});
}

void Shard::tell_gaps(Connection& connection, Moment now) {
  for (const flow::Drop& drop : connection.receiver->take_drops()) {
    const Topic* const topic = topics_.find(drop.source);
    if (topic == nullptr) continue;  // it has left the conversation
    const auto interest = connection.interests.find(topic->conversation());
    if (interest == connection.interests.end()) continue;
    say(connection,
        wire::hub::Gap{.conversation = topic->conversation(),
                       .epoch = interest->second->epochs.position(drop.last).epoch,
                       .first = drop.first,
                       .last = drop.last,
                       .count = drop.count,
                       .reason = reason_of(drop.reason)},
        now);
  }
}

void Shard::presence(const wire::hub::Presence& what, Moment now) {
  std::vector<std::uint64_t> watchers;
  topics_.each_subscriber(group(what.group), [&](const Subscription& subscription) {
    if (subscription.presence) watchers.push_back(subscription.owner);
  });
  for (const std::uint64_t id : watchers) {
    if (Connection* const connection = live({.shard = around_.self, .id = id})) say(*connection, what, now);
  }
}

}  // namespace sluice::hub
