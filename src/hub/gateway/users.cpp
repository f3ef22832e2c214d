#include "hub/gateway/users.hpp"

#include <algorithm>
#include <utility>

#include "core/admission_limits.hpp"
#include "core/ensure.hpp"
#include "hub/gateway/shard.hpp"

namespace sluice::hub {

using wire::hub::Reason;

void Users::attach(mail::Attach mail, wire::hub::Position inbox, Moment now) {
  forget_old(now.at);
  auto& places = users_[mail.user];
  if (const auto before = std::ranges::find(places, mail.session, &Place::session); before != places.end()) {
    const auto waiting = successors_.find(before->connection);
    supersede(waiting == successors_.end() ? before->connection : waiting->second.connection,
              "Its session goes on in another connection.");
    successors_.insert_or_assign(before->connection, std::move(mail));
    return;
  }
  if (places.size() >= mail.connections) return wait_for_place(std::move(mail), places);
  mail::Attached answer{.to = mail.connection,
                        .session = std::move(mail.session),
                        .inbox = inbox,
                        .device = std::move(mail.device)};
  places.push_back({.connection = mail.connection, .session = answer.session});
  const auto past = past_.find(answer.session);
  if (past != past_.end()) {
    answer.previous = past->second.ended;
    answer.unacknowledged = past->second.unacknowledged;
    if (answer.device.empty()) answer.device = past->second.device;
  }
  const ShardId shard = answer.to.shard;
  port_.post(shard, std::move(answer));
}

void Users::supersede(ConnectionRef connection, std::string why) {
  port_.post(connection.shard,
             mail::CutConnection{.to = connection,
                                 .kick = {.reason = Reason::superseded, .message = std::move(why)}});
}

void Users::refuse(mail::Attach mail) {
  const ShardId shard = mail.connection.shard;
  port_.post(shard, mail::Attached{.to = mail.connection,
                                   .session = std::move(mail.session),
                                   .refused = Reason::too_many_connections});
}

void Users::wait_for_place(mail::Attach mail, const std::vector<Place>& places) {
  Queue& queue = queues_[mail.user];
  if (queue.waiting.size() >= limits::kWaitingForPlace) return refuse(std::move(mail));
  if (queue.asked.empty()) {
    for (const Place& place : places) {
      if (successors_.contains(place.connection)) continue;  // on its way out, and promised
      queue.asked.insert(place.connection);
      port_.post(place.connection.shard, mail::Probe{.to = place.connection, .user = mail.user});
    }
  }
  const std::string user = mail.user;
  queue.waiting.push_back(std::move(mail));
  settle(user, queue);
}

void Users::probed(const mail::Probed& mail) {
  const auto queue = queues_.find(mail.user);
  // A second answer, or one that comes when nobody waits any more.
  if (queue == queues_.end() || queue->second.asked.erase(mail.connection) == 0) return;
  auto& waiting = queue->second.waiting;
  if (mail.life == mail::Probed::Life::none && !waiting.empty() && !successors_.contains(mail.connection)) {
    supersede(mail.connection,
              "Another connection of this user has come, and this one gave no sign of life.");
    successors_.insert_or_assign(mail.connection, std::move(waiting.front()));
    waiting.pop_front();
  }
  settle(mail.user, queue->second);
}

/// Once all have answered, those that still wait find no place.
void Users::settle(const std::string& user, Queue& queue) {
  if (queue.asked.empty()) {
    for (mail::Attach& mail : queue.waiting) refuse(std::move(mail));
    queue.waiting.clear();
  }
  if (queue.waiting.empty()) queues_.erase(user);
}

std::optional<mail::Attach> Users::detach(mail::Detach mail, Moment now) {
  const auto user = users_.find(mail.user);
  const auto is_this = [&mail](const Place& place) { return place.connection == mail.connection; };
  if (user == users_.end() || std::erase_if(user->second, is_this) == 0) {
    // Who was not let in has ended nothing: how the session ended before stays what there is to tell.
    std::erase_if(successors_,
                  [&mail](const auto& each) { return each.second.connection == mail.connection; });
    if (const auto queue = queues_.find(mail.user); queue != queues_.end()) {
      std::erase_if(queue->second.waiting,
                    [&mail](const mail::Attach& each) { return each.connection == mail.connection; });
      settle(mail.user, queue->second);
    }
    return std::nullopt;
  }
  if (user->second.empty()) users_.erase(user);
  std::optional<mail::Attach> next;
  if (auto successor = successors_.extract(mail.connection); !successor.empty())
    next = std::move(successor.mapped());
  if (const auto queue = queues_.find(mail.user); queue != queues_.end()) {
    queue->second.asked.erase(mail.connection);
    if (!next && !queue->second.waiting.empty()) {
      next = std::move(queue->second.waiting.front());
      queue->second.waiting.pop_front();
    }
    settle(mail.user, queue->second);
  }
  remember(std::move(mail), now);
  return next;
}

/// How the session ended; what a connection that was never welcome has not told anybody stays.
void Users::remember(mail::Detach mail, Moment now) {
  forget_old(now.at);
  if (!mail.was_welcome && past_.contains(mail.session)) return;
  Agenda<std::string>& own = order_of_[mail.user];
  own.put(mail.session, now.at);
  order_.put(mail.session, now.at);
  const bool is_over = own.size() > limits_.ended_of_user || order_.size() > limits_.ended_sessions;
  const auto oldest = own.size() > limits_.ended_of_user ? own.first() : order_.first();
  past_.insert_or_assign(std::move(mail.session), Past{.user = std::move(mail.user),
                                                       .ended = std::move(mail.ended),
                                                       .at = now.at,
                                                       .unacknowledged = std::move(mail.unacknowledged),
                                                       .device = std::move(mail.device)});
  if (is_over) forget(*oldest);
}

void Users::forget_old(TimePoint now) {
  while (const auto session = order_.take_due(now - limits_.resume_window)) forget(*session);
}

void Users::forget(const std::string& session) {
  order_.remove(session);
  const auto past = past_.find(session);
  if (past == past_.end()) return;
  const auto of_user = order_of_.find(past->second.user);
  ENSURE(of_user != order_of_.end());
  of_user->second.remove(session);
  if (of_user->second.size() == 0) order_of_.erase(of_user);
  past_.erase(past);
}

const Users::Past* Users::past(const std::string& session, TimePoint now) const {
  const auto found = past_.find(session);
  if (found == past_.end() || now - found->second.at >= limits_.resume_window) return nullptr;
  return &found->second;
}

void Users::ask(mail::Ask mail) {
  const auto user = users_.find(mail.request.user);
  const auto untried = [&mail](const Place& place) {
    return std::ranges::find(mail.tried, place.connection) == mail.tried.end();
  };
  const auto none = std::vector<Place>::const_reverse_iterator{};
  const auto place = user == users_.end()
                         ? none
                         : std::ranges::find_if(user->second.crbegin(), user->second.crend(), untried);
  if (user == users_.end() || place == user->second.crend()) {
    port_.post(mail.from.shard,
               mail::Answer{.to = mail.from,
                            .what = wire::hub::Reply{.request = std::move(mail.promise),
                                                     .reason = Reason::offline,
                                                     .message = "The user is not connected."}});
    return;
  }
  const ConnectionRef to = place->connection;
  port_.post(to.shard, mail::DeliverRequest{.to = to,
                                            .delivery = {.from = std::move(mail.user),
                                                         .to = {.kind = wire::hub::Conversation::Kind::user,
                                                                .name = mail.request.user},
                                                         .id = std::move(mail.request.id),
                                                         .content = std::move(mail.request.content),
                                                         .critical = true,
                                                         .request = std::move(mail.promise),
                                                         .timeout_ms = mail.request.timeout_ms},
                                            .tried = std::move(mail.tried),
                                            .memory = std::move(mail.memory)});
}

}  // namespace sluice::hub
