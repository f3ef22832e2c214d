#include "hub/gateway/homes.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "hub/gateway/shard.hpp"

namespace sluice::hub {

using wire::hub::Conversation;
using wire::hub::Position;
using wire::hub::Reason;

namespace {

constexpr PageLimits kPage{.messages = limits::kPageMessages, .bytes = limits::kPageBytes};

Bytes size_of(const LogPage& page) {
  Bytes size{};
  for (const LoggedMessage& message : page.messages)
    size += Bytes{message.delivery.content.bytes.size()} + limits::kEnvelopeNames;
  return size;
}

}  // namespace

Homes::Homes(Options options, std::vector<Route> routes, Surroundings around)
    : options_(options),
      log_(around.log),
      port_(around.port),
      ledger_(around.ledger),
      dedup_(options_.dedup_key),
      users_(options_.users, around.port) {
  set_routes(std::move(routes));
}
Homes::~Homes() = default;

void Homes::remember_earlier(const std::vector<RememberedMessage>& remembered, TimePoint now) {
  for (const RememberedMessage& message : remembered) {
    const Duration age = std::clamp<Duration>(message.age, Duration{}, limits::kDedupAge);
    dedup_.remember(message.print, message.position, now - age);
  }
}

void Homes::set_routes(std::vector<Route> routes) {
  auto next = std::make_unique<const Routes>(std::move(routes));
  for (auto& [conversation, room] : rooms_) room.home->set_route(next->of(conversation));
  routes_ = std::move(next);
}

void Homes::set_tick(Duration tick) {
  options_.tick = tick;
  for (auto& [conversation, room] : rooms_) room.home->set_tick(tick);
}

Result<Homes::Room*> Homes::room(const Conversation& of) {
  if (const auto known = rooms_.find(of); known != rooms_.end()) return &known->second;
  auto head = log_.head(of);
  if (!head) return fail(std::move(head.error()));
  const Route& route = routes_->of(of);
  const std::uint64_t used = route.stored ? used_by_stored_ : used_by_others_;
  const Position begin{.epoch = options_.epoch, .offset = std::max(head->offset, used)};
  Room room{
      .home = std::make_unique<Home>(
          of, begin,
          Home::Surroundings{.route = &route, .dedup = dedup_, .log = log_, .port = *this, .ledger = ledger_},
          HomeOptions{.tick = options_.tick})};
  return &rooms_.emplace(of, std::move(room)).first->second;
}

void Homes::handle(mail::Attach mail, Moment now) {
  const Conversation inbox{.kind = Conversation::Kind::user, .name = mail.user};
  Position head;
  if (const auto known = rooms_.find(inbox); known != rooms_.end()) {
    head = known->second.home->head();
  } else if (const auto stored = log_.head(inbox)) {
    head = *stored;
  }
  users_.attach(std::move(mail), head, now);
}

void Homes::handle(mail::Publish mail, Moment now) {
  const auto found = room(mail.to);
  if (!found) {
    answer(mail.incoming.from, {.seq = mail.incoming.publish.seq,
                                .id = mail.incoming.publish.id,
                                .reason = Reason::store_failed,
                                .message = found.error().message});
    return;
  }
  Home& home = *(*found)->home;
  home.publish(std::move(mail.incoming), now);
  if (home.flush_due()) {
    batching_.insert(&home);
  } else {
    let_go(mail.to);
  }
}

/// Where it begins to read, if it does. An inbox goes on behind what its user has acknowledged, which may be
/// further than what was stored before a kill. Where nothing was acknowledged, what is gone of it was missed.
Result<std::optional<Junction>> Homes::start_of(const mail::Subscribe& mail, Home& home) {
  if (mail.after) {
    if (*mail.after == Position{}) return Junction{};  // all that is kept
    return home.junction(*mail.after);
  }
  if (mail.to.kind != Conversation::Kind::user) return std::nullopt;
  const auto seen = log_.acknowledged(mail.to, mail.device);
  if (!seen) return fail(seen.error());
  if (!routes_->of(mail.to).stored) return Junction{.from = *seen};
  if (seen->epoch == 0) return Junction{.from = {.epoch = 1, .offset = seen->offset}};
  const auto behind = home.junction(*seen);
  if (!behind) return fail(behind.error());
  return Junction{.from = behind->from};
}

void Homes::handle(mail::Subscribe mail, Moment now) {
  const auto found = room(mail.to);
  const auto start = found ? start_of(mail, *(*found)->home) : fail(found.error());
  if (!start) {
    let_go(mail.to);
    refused_.emplace(mail.to, mail.from);
    port_.post(mail.from.shard, mail::Subscribed{.to = mail.from,
                                                 .conversation = mail.to,
                                                 .head = {},
                                                 .interest = mail.interest,
                                                 .refused = Reason::store_failed});
    return;
  }
  Room& room = **found;
  // From now on what another device acknowledges is kept for this one too.
  const bool is_marked = !mail.device.empty() && mail.to.kind == Conversation::Kind::user && *start;
  if (is_marked && routes_->of(mail.to).stored)
    log_.acknowledge(mail.to, mail.device, std::min((*start)->from, room.home->head()));
  room.home->flush(now.at);
  room.home->subscribe(mail.from.shard, mail.encoding);
  room.attendance.come(mail.user, mail.from.shard, mail.presence);
  tell_presence(mail.to, room, now.at);
  mail::Subscribed answer{.to = mail.from,
                          .conversation = mail.to,
                          .head = room.home->head(),
                          .members = static_cast<std::uint32_t>(room.attendance.count()),
                          .interest = mail.interest};
  if (*start) answer.after = (*start)->from;
  if (*start && (*start)->is == Junction::Is::parted) answer.unknown = mail.after;
  port_.post(mail.from.shard, std::move(answer));
}

void Homes::handle(const mail::Unsubscribe& mail, Moment now) {
  if (refused_.erase({mail.to, mail.from}) > 0) return;
  const auto found = rooms_.find(mail.to);
  ENSURE(found != rooms_.end());
  Room& room = found->second;
  room.home->flush(now.at);
  room.home->unsubscribe(mail.from.shard, mail.encoding);
  const bool may_be_back = mail.why == mail::Unsubscribe::Why::ended;
  room.attendance.go(mail.user, mail.from.shard, mail.presence,
                     may_be_back ? now.at + options_.presence_grace : TimePoint{});
  tell_presence(mail.to, room, now.at);
  let_go(mail.to);
}

void Homes::handle(const mail::Read& mail, Moment now) {
  const auto found = room(mail.of);
  mail::Page answer{.to = mail.from,
                    .of = mail.of,
                    .purpose = mail.purpose,
                    .page = LogPage{},
                    .asked_after = mail.after,
                    .last = mail.last,
                    .interest = mail.interest,
                    .head = {}};
  if (!found) {
    answer.page = fail(found.error());
  } else {
    Home& home = *(*found)->home;
    home.flush(now.at);
    answer.head = home.head();
    const bool is_pull = mail.purpose == mail::Read::Purpose::pull;
    answer.page = is_pull ? read_for_pull(mail, home, answer) : home.page(mail.after, kPage);
    if (answer.page) answer.memory = {ledger_.process, size_of(*answer.page)};
  }
  port_.post(mail.from.shard, std::move(answer));
}

/// What of the range is in this history; the rest is told as what it is.
Result<LogPage> Homes::read_for_pull(const mail::Read& mail, Home& home, mail::Page& answer) {
  answer.epoch = mail.after.epoch;
  const auto reading =
      home.reading({.epoch = mail.after.epoch, .first = mail.after.offset + 1, .last = mail.last});
  if (!reading) return fail(reading.error());
  answer.asked_after = reading->after;
  answer.last = reading->last;
  answer.foreign = reading->foreign;
  if (answer.is_all_foreign()) return LogPage{};
  return home.page(reading->after, kPage);
}

void Homes::handle(const mail::Processed& mail) {
  if (const auto found = rooms_.find(mail.of); found != rooms_.end())
    found->second.home->on_processed(mail.up_to.epoch, mail.received);
  if (mail.of.kind == Conversation::Kind::user) log_.acknowledge(mail.of, mail.device, mail.up_to);
}

void Homes::handle(const mail::Abandon& mail) {
  const auto found = rooms_.find(mail.of);
  if (found == rooms_.end()) return;
  found->second.home->abandon(mail.from);
  let_go(mail.of);
}

void Homes::handle(const mail::AskWho& mail) {
  wire::hub::Members members{.group = mail.of.name};
  if (const auto found = rooms_.find(mail.of); found != rooms_.end()) {
    auto present = found->second.attendance.present(limits::kMaxMembersNamed);
    members.users = std::move(present.users);
    members.more = present.more;
  }
  port_.post(mail.from.shard, mail::Answer{.to = mail.from, .what = std::move(members)});
}

void Homes::tell_presence(const Conversation& of, Room& room, TimePoint now) {
  const auto due = room.attendance.due();
  if (!due) return news_.remove(of);
  if (*due > now) return news_.put(of, *due);
  for (const auto& change : room.attendance.take_changes(now)) {
    for (const auto& [shard, watchers] : room.attendance.watchers()) {
      port_.post(shard,
                 mail::Presence{.what = {.group = of.name, .user = change.user, .online = change.online}});
    }
  }
  if (const auto next = room.attendance.due()) {
    news_.put(of, *next);
  } else {
    news_.remove(of);
  }
}

void Homes::let_go(const Conversation& of) {
  const auto found = rooms_.find(of);
  if (found == rooms_.end() || !found->second.home->idle()) return;
  // What it knows beyond the log is its head, where that is not stored.
  if (!found->second.home->is_logged()) {
    if (rooms_.size() < limits::kIdleHomes) return;
    std::uint64_t& used = routes_->of(of).stored ? used_by_stored_ : used_by_others_;
    used = std::max(used, found->second.home->head().offset);
  }
  batching_.erase(found->second.home.get());
  news_.remove(of);
  rooms_.erase(found);
}

void Homes::on_stored(std::uint64_t ticket, const Status& outcome) {
  ENSURE(!tickets_.empty() && tickets_.front().number == ticket);
  const Conversation of = std::move(tickets_.front().of);
  tickets_.pop_front();
  const auto found = rooms_.find(of);
  ENSURE(found != rooms_.end() && found->second.home->on_stored(ticket, outcome));
  let_go(of);
}

void Homes::flush(TimePoint now) {
  for (auto it = batching_.begin(); it != batching_.end();) {
    Home& home = **it;
    if (const auto due = home.flush_due(); due && *due > now) {
      ++it;
      continue;
    }
    it = batching_.erase(it);
    home.flush(now);
  }
  while (const auto of = news_.take_due(now)) tell_presence(*of, rooms_.at(*of), now);
}

std::optional<TimePoint> Homes::next_flush() const {
  std::optional<TimePoint> next;
  for (const Home* home : batching_) {
    const auto due = home->flush_due();
    if (due && (!next || *due < *next)) next = due;
  }
  const auto news = news_.next();
  return news && (!next || *news < *next) ? news : next;
}

void Homes::answer(ConnectionRef to, wire::hub::Receipt receipt) {
  port_.post(to.shard, mail::Answer{.to = to, .what = std::move(receipt)});
}
void Homes::hand_out(ShardId to, const Conversation& conversation, SharedBatch batch) {
  port_.post(to, mail::HandOut{.conversation = conversation, .batch = std::move(batch)});
}
SharedFrames Homes::encode(const std::vector<wire::hub::FromHub>& messages, wire::hub::Encoding encoding) {
  return port_.encode(messages, encoding);
}
Result<std::uint64_t> Homes::store(SharedMessage message) {
  Conversation of = message->delivery.to;
  if (auto appended = log_.append(std::move(message), last_ticket_ + 1); !appended)
    return fail(std::move(appended.error()));
  tickets_.push_back({.number = ++last_ticket_, .of = std::move(of)});
  return last_ticket_;
}

}  // namespace sluice::hub
