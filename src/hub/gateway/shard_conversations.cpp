#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/ensure.hpp"
#include "hub/gateway/cost.hpp"
#include "hub/gateway/holes.hpp"
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

struct Parting {
  const Conversation& of;
  Position asked;  ///< What the client has named, and this history does not have.
  Position from;   ///< Where it goes on.
};
/// No message is known to be missing: the client may have seen all that it stands for.
wire::hub::Gap history_changed(const Parting& parting) {
  return {.conversation = parting.of,
          .epoch = parting.asked.epoch,
          .first = std::min(parting.from.offset + 1, parting.asked.offset),
          .last = parting.asked.offset,
          .reason = Reason::history_changed,
          .gone = true,
          .from = parting.from};
}

}  // namespace

void Shard::join(Connection& connection, const wire::hub::Join& join, Moment now) {
  const auto no = [&](Reason reason, std::string message) {
    refuse(connection, {.reason = reason, .message = std::move(message), .group = join.group}, now);
  };
  if (auto why = not_a_name("join.group", join.group)) return no(Reason::malformed, std::move(*why));
  if (!connection.identity.rights.may_join(join.group))
    return no(Reason::forbidden, "You may not join this group.");
  if (connection.interests.contains(group(join.group))) {
    return no(Reason::protocol_violation, "You are in this group already.");
  }
  // Two of them are the inbox and what is for everyone.
  if (connection.interests.size() >= settings_.groups_per_connection + 2) {
    return no(Reason::too_many_groups, "You are in as many groups as you may be in.");
  }
  connection.group_answers.expect(join.group);
  subscribe(connection, group(join.group), join.from, join.presence);
}

void Shard::leave(Connection& connection, const wire::hub::Leave& leave, Moment now) {
  if (!connection.interests.contains(group(leave.group))) {
    return refuse(
        connection,
        {.reason = Reason::not_member, .message = "You are not in this group.", .group = leave.group}, now);
  }
  unsubscribe(connection, group(leave.group), now);
  answer_in_turn(connection, leave.group, wire::hub::Left{.group = leave.group}, now);
}

void Shard::answer_in_turn(Connection& connection, const std::string& group, wire::hub::FromHub answer,
                           Moment now) {
  for (wire::hub::FromHub& next : connection.group_answers.in_turn(group, std::move(answer)))
    say(connection, std::move(next), now);
}

void Shard::home_answered(Connection& connection, const std::string& group, wire::hub::FromHub answer,
                          Moment now) {
  for (wire::hub::FromHub& next : connection.group_answers.arrived(group, std::move(answer)))
    say(connection, std::move(next), now);
}

void Shard::subscribe(Connection& connection, const Conversation& to, std::optional<Position> after,
                      bool presence) {
  auto interest = std::make_unique<Interest>(++last_interest_, around_.epoch);
  interest->subscription.receiver = &*connection.receiver;
  interest->subscription.owner = connection.ref.id;
  interest->subscription.presence = presence;
  topics_.add(topics_.of(to), interest->subscription);
  connection.interests.emplace(to, std::move(interest));
  post(to, mail::Subscribe{.to = to,
                           .from = connection.ref,
                           .encoding = connection.encoding,
                           .user = connection.identity.user,
                           .after = after,
                           .presence = presence,
                           .interest = last_interest_,
                           .device = connection.hello.device});
}

void Shard::unsubscribe(Connection& connection, const Conversation& to, Moment now,
                        mail::Unsubscribe::Why why) {
  auto interest = connection.interests.extract(to);
  ENSURE(!interest.empty());
  Subscription& subscription = interest.mapped()->subscription;
  if (interest.mapped()->replied && !subscription.live) --connection.catching_up;
  connection.receiver->forget(subscription.topic->number(), now.at);
  if (subscription.presence) connection.presence.forget(to.name);
  topics_.remove(subscription);
  post(interest.key(), mail::Unsubscribe{.to = interest.key(),
                                         .from = connection.ref,
                                         .encoding = connection.encoding,
                                         .user = connection.identity.user,
                                         .presence = subscription.presence,
                                         .why = why});
}

/// Null: the client has left since, and what was asked for it is of no use to one that has come again.
Interest* Shard::interest_of(Connection& connection, const Conversation& conversation, std::uint64_t number) {
  const auto found = connection.interests.find(conversation);
  if (found == connection.interests.end() || found->second->number != number) return nullptr;
  return found->second.get();
}

void Shard::subscribed(mail::Subscribed mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  unsettled_.insert(connection->ref.id);
  Interest* const interest = interest_of(*connection, mail.conversation, mail.interest);
  const bool is_group = mail.conversation.kind == Conversation::Kind::group;
  const auto answer = [&](wire::hub::FromHub what) {
    home_answered(*connection, mail.conversation.name, std::move(what), now);
  };
  if (mail.refused) {
    // A client that cannot have what everybody listens to comes again later.
    if (!is_group) return end(*connection, *mail.refused, How::told, "The hub cannot read its log.", now);
    if (interest != nullptr) unsubscribe(*connection, mail.conversation, now);
    note_refused(*connection, *mail.refused);
    return answer(wire::hub::Refusal{
        .reason = *mail.refused, .message = "The hub cannot read its log.", .group = mail.conversation.name});
  }
  const wire::hub::Joined joined{
      .group = mail.conversation.name, .position = mail.head, .members = mail.members};
  if (interest == nullptr) {
    // The client has left the group since. Its `join` is answered all the same, in front of the `left`.
    if (is_group) answer(joined);
    return;
  }
  interest->replied = true;
  if (mail.after) {
    interest->replayed_to = *mail.after;
    ++connection->catching_up;
  } else {
    go_live(*interest, mail.head);
  }
  if (is_group) answer(joined);
  if (mail.unknown) {
    say(*connection, history_changed({.of = mail.conversation, .asked = *mail.unknown, .from = *mail.after}),
        now);
  }
  if (connection->state == Connection::State::attaching) welcome(*connection, now);
}

/// It has got everything up to there; batches bring the rest.
void Shard::go_live(Interest& interest, Position head) {
  interest.subscription.live = true;
  interest.subscription.last = head.offset;
  interest.epochs.note({.epoch = head.epoch, .offset = head.offset + 1});
}

void Shard::page(mail::Page mail, Moment now) {
  Connection* const connection = live(mail.to);
  if (connection == nullptr) return;
  unsettled_.insert(connection->ref.id);
  if (mail.purpose == mail::Read::Purpose::pull) return pulled(*connection, std::move(mail), now);
  Interest* const interest = interest_of(*connection, mail.of, mail.interest);
  if (interest == nullptr) return;
  // What is damaged stays so: it is told as gone, and what is new comes all the same.
  if (!mail.page && mail.page.error().code == Errc::malformed) mail.page = LogPage{.unreadable = true};
  // Without it nothing that comes now could be handed on either: it comes again, and goes on from where it
  // is.
  if (!mail.page)
    return end(*connection, Reason::store_failed, How::told, "The hub cannot read its log.", now);
  interest->subscription.reading = false;
  interest->replayed_to = bring(*connection, *interest, mail, now);
  if (mail.page->more) return;
  go_live(*interest, mail.head);
  --connection->catching_up;
}

void Shard::pulled(Connection& connection, mail::Page mail, Moment now) {
  connection.pulling = false;
  const auto no = [&](Reason reason, std::string message, std::uint32_t retry_after_ms) {
    refuse(connection,
           {.reason = reason,
            .message = std::move(message),
            .retry_after_ms = retry_after_ms,
            .group = mail.of.name},
           now);
  };
  Interest* const interest = interest_of(connection, mail.of, mail.interest);
  if (interest == nullptr) return no(Reason::not_member, "You have left it.", 0);
  if (!mail.page) return no(Reason::store_failed, mail.page.error().message, in_ms(limits::kRetryAfterFull));
  const std::size_t behind = std::erase_if(mail.page->messages, [&](const LoggedMessage& message) {
    return mail.last != 0 && message.delivery.position.offset > mail.last;
  });
  const std::size_t damaged_behind = std::erase_if(mail.page->damaged, [&](const Position& damaged) {
    return mail.last != 0 && damaged.offset > mail.last;
  });
  if (behind + damaged_behind > 0) mail.page->more = false;  // than what was asked for
  connection.charge(mail.page->messages.size() / cost::kMessagesPerToken, now.at);
  // What is of another history is not looked for in this one, nor told as gone from it.
  const Position reached = mail.is_all_foreign() ? mail.asked_after : bring(connection, *interest, mail, now);
  if (mail.foreign && !mail.page->more) tell_foreign(connection, mail, now);
  say(connection, wire::hub::Pulled{.conversation = mail.of, .last = reached, .more = mail.page->more}, now);
}

/// What a page holds, and what it lacks, in order. Returns the last position that was looked at.
Position Shard::bring(Connection& connection, Interest& interest, mail::Page& mail, Moment now) {
  Position told = mail.asked_after;
  Position looked_at = told;
  for (LoggedMessage& message : mail.page->messages) {
    looked_at = message.delivery.position;
    // Worthless by now: as good as deleted, which it will be within a second, and told with what is.
    if (message.expires_at != 0 && message.expires_at <= now.wall) continue;
    tell_lost(connection, mail, {.after = told, .before = looked_at}, now);
    told = looked_at;
    replay(connection, interest, std::move(message.delivery), now);
  }
  if (mail.page->more) looked_at = std::max(looked_at, mail.page->last());  // it may end with what is damaged
  const Position end = mail.page->more ? looked_at : mail.head;
  tell_lost(connection, mail, {.after = told, .before = {.epoch = end.epoch, .offset = end.offset + 1}}, now);
  return looked_at;
}

/// What was asked for and is not in the log any more, or never was, or is damaged there.
void Shard::tell_lost(Connection& connection, const mail::Page& mail, Between hole, Moment now) {
  Position before = hole.before;
  if (mail.purpose == mail::Read::Purpose::pull && mail.last != 0)
    before.offset = std::min(before.offset, mail.last + 1);
  for (HolePart part : parts_of({.first = hole.after.offset + 1, .before = before}, mail.page->damaged)) {
    if (mail.page->unreadable) part.reason = Reason::damaged;
    // Without an earlier position nothing is missed that is not there: it is the first time.
    if (hole.after == Position{} && part.reason == Reason::expired) continue;
    say(connection,
        wire::hub::Gap{.conversation = mail.of,
                       .epoch = part.epoch,
                       .first = part.first,
                       .last = part.last,
                       .count = part.last - part.first + 1,
                       .reason = part.reason,
                       .gone = true},
        now);
  }
}

/// What was pulled and is no part of this history: another's messages have these offsets, or none.
void Shard::tell_foreign(Connection& connection, const mail::Page& mail, Moment now) {
  say(connection,
      wire::hub::Gap{.conversation = mail.of,
                     .epoch = mail.epoch,
                     .first = mail.foreign->first,
                     .last = mail.foreign->last,
                     .count = mail.foreign->last - mail.foreign->first + 1,
                     .reason = Reason::history_changed,
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

/// Asks for the next page of what catches up, when there is room for it: one at a time, since all of them
/// together could be more than may wait for a client.
void Shard::read_on(Connection& connection) {
  if (connection.catching_up == 0 || !connection.receiver->has_room()) return;
  const auto wants = [](const auto& entry) {
    const Interest& interest = *entry.second;
    return interest.replied && !interest.subscription.live;
  };
  const auto reading = [](const auto& entry) { return entry.second->subscription.reading; };
  const auto next = std::ranges::find_if(connection.interests, wants);
  if (next == connection.interests.end() || std::ranges::any_of(connection.interests, reading)) return;
  Interest& interest = *next->second;
  interest.subscription.reading = true;
  post(next->first, mail::Read{.of = next->first,
                               .from = connection.ref,
                               .after = interest.replayed_to,
                               .interest = interest.number});
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
  const auto interest = connection.interests.find(pull.conversation);
  if (interest == connection.interests.end()) {
    return no(Reason::not_member, "You listen to no such conversation.");
  }
  if (connection.pulling || !connection.receiver->has_room()) {
    return no(Reason::rate_limited, "One pull after the other, when you have taken what you were sent.", 100);
  }
  if (!may_ask(connection, 0, pull.conversation.name, now)) return;
  connection.pulling = true;
  const std::uint64_t before = pull.first == 0 ? 0 : pull.first - 1;
  post(pull.conversation, mail::Read{.of = pull.conversation,
                                     .from = connection.ref,
                                     .after = {.epoch = pull.epoch, .offset = before},
                                     .purpose = mail::Read::Purpose::pull,
                                     .last = pull.last,
                                     .interest = interest->second->number});
}

void Shard::who(Connection& connection, const wire::hub::Who& who, Moment now) {
  if (!connection.interests.contains(group(who.group))) {
    return refuse(connection,
                  {.reason = Reason::not_member, .message = "You are not in this group.", .group = who.group},
                  now);
  }
  if (!connection.receiver->has_room()) {
    return refuse(connection,
                  {.reason = Reason::rate_limited,
                   .message = "Take what you were sent before you ask who is there.",
                   .retry_after_ms = 100,
                   .group = who.group},
                  now);
  }
  if (!may_ask(connection, 0, who.group, now)) return;
  connection.group_answers.expect(who.group);
  post(group(who.group), mail::AskWho{.of = group(who.group), .from = connection.ref});
}

SharedFrames Shard::gap_frames(const Connection& connection, const std::vector<flow::Drop>& drops) {
  std::vector<wire::hub::FromHub> gaps;
  for (const flow::Drop& drop : drops) {
    const Topic* const topic = topics_.find(drop.source);
    if (topic == nullptr) continue;  // it has left the conversation
    const auto interest = connection.interests.find(topic->conversation());
    if (interest == connection.interests.end()) continue;
    gaps.push_back(wire::hub::Gap{.conversation = topic->conversation(),
                                  .epoch = interest->second->epochs.position(drop.last).epoch,
                                  .first = drop.first,
                                  .last = drop.last,
                                  .count = drop.count,
                                  .reason = reason_of(drop.reason)});
  }
  return gaps.empty() ? nullptr : around_.port.encode(gaps, connection.encoding);
}

void Shard::presence(const wire::hub::Presence& what, Moment now) {
  std::vector<std::uint64_t> watchers;
  topics_.each_subscriber(group(what.group), [&](const Subscription& subscription) {
    if (subscription.presence) watchers.push_back(subscription.owner);
  });
  std::array<SharedFrames, wire::hub::kEncodings> frames;
  for (const std::uint64_t id : watchers) {
    Connection* const connection = live({.shard = around_.self, .id = id});
    if (connection == nullptr) continue;
    // What others cause must not be what a slow watcher is disconnected for.
    if (!connection->receiver->is_idle() || !connection->presence.empty()) {
      connection->presence.note(what);
      if (connection->share->memory->over()) connection->presence.drop(what.group);
      connection->presence_memory = {connection->share->memory, connection->presence.bytes()};
      continue;
    }
    SharedFrames& encoded = frames.at(static_cast<std::size_t>(connection->encoding));
    if (!encoded) encoded = around_.port.encode({what}, connection->encoding);
    connection->receiver->say(encoded, Receiver::Counts::no, now.at);
    if (connection->receiver->is_slow()) slow_.insert(id);
  }
}

/// What waits of presence, when the watcher has taken what it was sent before.
void Shard::tell_presence(Connection& connection, Moment now) {
  if (connection.presence.empty()) return;
  while (!connection.presence.empty() && connection.receiver->is_idle()) {
    PendingPresence::News news = connection.presence.take(limits::kPresenceSlice);
    for (std::string& group : news.dropped) {
      say(connection,
          wire::hub::Refusal{.reason = Reason::shed,
                             .message = "Changes of presence were dropped: ask who is there.",
                             .group = std::move(group)},
          now);
    }
    std::vector<wire::hub::FromHub> changes(std::make_move_iterator(news.changes.begin()),
                                            std::make_move_iterator(news.changes.end()));
    if (changes.empty()) continue;
    connection.receiver->say(around_.port.encode(changes, connection.encoding), Receiver::Counts::no, now.at);
  }
  connection.presence_memory = {connection.share->memory, connection.presence.bytes()};
}

}  // namespace sluice::hub
