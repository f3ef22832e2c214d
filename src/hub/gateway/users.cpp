#include "hub/gateway/users.hpp"

#include <algorithm>
#include <utility>

#include "hub/gateway/shard.hpp"

namespace sluice::hub {

using wire::hub::Reason;

void Users::attach(mail::Attach mail, wire::hub::Position inbox, Moment now) {
  forget_old(now.at);
  auto& places = users_[mail.user];
  if (const auto before = std::ranges::find(places, mail.session, &Place::session); before != places.end()) {
    const auto waiting = successors_.find(before->connection);
    supersede(waiting == successors_.end() ? before->connection : waiting->second.connection);
    successors_.insert_or_assign(before->connection, std::move(mail));
    return;
  }
  mail::Attached answer{.to = mail.connection, .session = std::move(mail.session), .inbox = inbox};
  if (places.size() >= limits_.connections) {
    answer.refused = Reason::too_many_connections;
  } else {
    places.push_back({.connection = mail.connection, .session = answer.session});
    const auto past = past_.find(answer.session);
    if (past != past_.end()) {
      answer.previous = past->second.ended;
      answer.unacknowledged = past->second.unacknowledged;
    }
  }
  const ShardId shard = answer.to.shard;
  port_.post(shard, std::move(answer));
}

void Users::supersede(ConnectionRef connection) {
  port_.post(connection.shard,
             mail::CutConnection{.to = connection,
                                 .kick = {.reason = Reason::superseded,
                                          .message = "Its session goes on in another connection."}});
}

std::optional<mail::Attach> Users::detach(mail::Detach mail, Moment now) {
  const auto user = users_.find(mail.user);
  const auto is_this = [&mail](const Place& place) { return place.connection == mail.connection; };
  if (user == users_.end() || std::erase_if(user->second, is_this) == 0) {
    // Who was not let in has ended nothing: how the session ended before stays what there is to tell.
    std::erase_if(successors_,
                  [&mail](const auto& each) { return each.second.connection == mail.connection; });
    return std::nullopt;
  }
  if (user->second.empty()) users_.erase(user);
  auto successor = successors_.extract(mail.connection);
  remember(std::move(mail), now);
  if (successor.empty()) return std::nullopt;
  return std::move(successor.mapped());
}

/// How the session ended; what a connection that was never welcome has not told anybody stays.
void Users::remember(mail::Detach mail, Moment now) {
  forget_old(now.at);
  if (!mail.was_welcome && past_.contains(mail.session)) return;
  if (order_.size() == limits_.ended_sessions) forget_oldest();
  order_.push_back({.session = mail.session, .at = now.at});
  past_.insert_or_assign(std::move(mail.session), Past{.user = std::move(mail.user),
                                                       .ended = std::move(mail.ended),
                                                       .at = now.at,
                                                       .unacknowledged = std::move(mail.unacknowledged)});
}

void Users::forget_old(TimePoint now) {
  while (!order_.empty() && now - order_.front().at >= limits_.resume_window) forget_oldest();
}

void Users::forget_oldest() {
  const auto past = past_.find(order_.front().session);
  if (past != past_.end() && past->second.at == order_.front().at) past_.erase(past);
  order_.pop_front();
}

const Users::Past* Users::past(const std::string& session, TimePoint now) const {
  const auto found = past_.find(session);
  if (found == past_.end() || now - found->second.at >= limits_.resume_window) return nullptr;
  return &found->second;
}

void Users::ask(mail::Ask mail) {
  const auto user = users_.find(mail.request.user);
  if (user == users_.end()) {
    port_.post(mail.from.shard,
               mail::Answer{.to = mail.from,
                            .what = wire::hub::Reply{.request = std::move(mail.promise),
                                                     .reason = Reason::offline,
                                                     .message = "The user is not connected."}});
    return;
  }
  const ConnectionRef to = user->second.back().connection;
  port_.post(to.shard, mail::DeliverRequest{.to = to,
                                            .delivery = {.from = std::move(mail.user),
                                                         .to = {.kind = wire::hub::Conversation::Kind::user,
                                                                .name = mail.request.user},
                                                         .id = std::move(mail.request.id),
                                                         .content = std::move(mail.request.content),
                                                         .critical = true,
                                                         .request = std::move(mail.promise),
                                                         .timeout_ms = mail.request.timeout_ms},
                                            .memory = std::move(mail.memory)});
}

}  // namespace sluice::hub
