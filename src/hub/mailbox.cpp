#include "hub/mailbox.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/ensure.hpp"

namespace sluice::hub {
namespace {

std::chrono::milliseconds round_up(Duration wait) {
  return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

/// The number that a text is, as the hub writes it: no sign, no leading zero.
std::optional<MailboxNumber> as_number(const std::string& text) {
  MailboxNumber number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '0') return std::nullopt;
  return number;
}

TryLimits burn_charges(const MailboxLimits& limits) {
  return {.burst = 1, .interval = limits.burn_charge_pause, .max_tracked = limits.tries.max_tracked};
}

TryLimits of_network(const TryLimits& of_one) {
  return {.burst = of_one.burst * kNetworkTries,
          .interval = of_one.interval / kNetworkTries,
          .max_tracked = of_one.max_tracked};
}

transport::FairSlots::Id slot_of(ConnectionId id) {
  return static_cast<transport::FairSlots::Id>(id);
}

}  // namespace

Mailboxes::Mailboxes(MailboxLimits limits, Random random)
    : limits_(limits),
      numbers_(limits.numbers, std::move(random)),
      tries_(limits.tries),
      network_tries_(of_network(limits.tries)),
      burns_(burn_charges(limits)),
      waiters_(limits.waiters),
      hosts_(limits.mailboxes) {}

MailboxActions Mailboxes::connected(ConnectionId id, const std::string& address, TimePoint now) {
  const auto [place, fresh] = connections_.emplace(
      id, Connection{.from = transport::address_blocks(address), .mailbox = {}, .rate = now, .deadline = {}});
  ENSURE(fresh);
  take_place(id, now);
  return done(now);
}

void Mailboxes::set_limits(const MailboxLimits& limits) {
  limits_ = limits;
  tries_.set_limits(limits.tries);
  network_tries_.set_limits(of_network(limits.tries));
  burns_.set_limits(burn_charges(limits));
  waiters_.set_slots(limits.waiters);
  hosts_.set_slots(limits.mailboxes);
}

MailboxActions Mailboxes::done(TimePoint now) {
  while (waiters_.is_over()) give_way(ConnectionId{*waiters_.evict()}, now);
  return std::exchange(actions_, {});
}

MailboxActions Mailboxes::handle(ConnectionId id, Request request, TimePoint now) {
  expire_due(now);
  const auto found = connections_.find(id);
  if (found != connections_.end() && may_ask(id, found->second, now)) {
    if (found->second.mailbox.empty()) take_place(id, now);  // it has spoken: its silence begins anew
    std::visit([&](auto& asked) { on(id, found->second, asked, now); }, request);
  }
  return done(now);
}

MailboxActions Mailboxes::malformed(ConnectionId id, std::string why, TimePoint now) {
  if (connections_.contains(id)) {
    refuse_and_close(id, Denial::malformed,
                     {.code = RefusalCode::malformed, .message = std::move(why), .retry_after = {}}, now);
  }
  return done(now);
}

MailboxActions Mailboxes::disconnected(ConnectionId id, LeaveReason reason, TimePoint now) {
  if (!connections_.contains(id)) return done(now);
  if (reason == LeaveReason::too_slow) count(Denial::too_slow);
  leave(id, reason, now);
  close(id);
  actions_.pop_back();  // it is closed already
  return done(now);
}

MailboxActions Mailboxes::expire(TimePoint now) {
  expire_due(now);
  return done(now);
}

std::optional<TimePoint> Mailboxes::next_deadline() const {
  std::optional<TimePoint> next;
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (!silences_.empty()) next = std::min(next.value_or(TimePoint::max()), silences_.begin()->first);
  return next;
}

// --- requests
// -------------------------------------------------------------------------------------------------------

void Mailboxes::on(ConnectionId id, Connection& from, Open& request, TimePoint now) {
  if (!has_no_place(id, from, now)) return;
  if (const auto held = per_block_.find(from.from.narrow);
      held != per_block_.end() && held->second >= limits_.mailboxes_per_address) {
    return refuse(id, Denial::address_full,
                  {.code = RefusalCode::limit_exceeded,
                   .message = "Your address has as many mailboxes as this hub allows.",
                   .retry_after = limits_.retry_later});
  }
  if (request.name && mailboxes_.contains(*request.name)) {
    return refuse(id, Denial::name_taken,
                  {.code = RefusalCode::busy,
                   .message = "A host with this key is connected already.",
                   .retry_after = limits_.retry_later});
  }
  // Last: no host gives way to one that is rejected all the same.
  if (mailboxes_.size() >= limits_.mailboxes && !has_room_for_another(from, now)) {
    return refuse(id, Denial::hub_full,
                  {.code = RefusalCode::limit_exceeded,
                   .message = "This hub has no mailbox left.",
                   .retry_after = limits_.retry_later});
  }
  std::optional<MailboxNumber> number;
  if (!request.name) number = numbers_.take(now);
  const std::string name = number ? std::to_string(*number) : *request.name;
  const auto [place, fresh] =
      mailboxes_.emplace(name, Mailbox{.host = id,
                                       .block = from.from.narrow,
                                       .number = number,
                                       .expires = number ? now + limits_.life : TimePoint::max(),
                                       .visitor = {},
                                       .last_visitor = {},
                                       .deadline = TimePoint::max()});
  ENSURE(fresh);
  schedule(place);
  ++per_block_[from.from.narrow];
  give_place(id, from, name);
  waiters_.give_back(slot_of(id));
  hosts_.add(slot_of(id), from.from, now);
  std::optional<std::chrono::seconds> expires_in;
  if (number) expires_in = std::chrono::floor<std::chrono::seconds>(limits_.life);
  send(id, Opened{.mailbox = name, .expires_in = expires_in});
}

void Mailboxes::on(ConnectionId id, Connection& from, Join& request, TimePoint now) {
  if (!has_no_place(id, from, now)) return;
  if (const Duration wait = wait_to_try(from.from, now); wait > Duration::zero()) {
    return refuse(id, Denial::too_many_tries,
                  {.code = RefusalCode::too_many_tries,
                   .message = "Too many failed tries from your address.",
                   .retry_after = round_up(wait)});
  }
  const auto place = mailboxes_.find(request.mailbox);
  if (place == mailboxes_.end()) return refuse_join(id, from, request.mailbox, now);
  Mailbox& mailbox = place->second;
  if (!has_second_place(place, now)) {
    return refuse(id, Denial::place_taken,
                  {.code = RefusalCode::busy,
                   .message = "Somebody else is being introduced there.",
                   .retry_after = limits_.retry_soon});
  }
  mailbox.visitor = Visitor{.id = id,
                            .introduction = ++introductions_,
                            .since = now,
                            .until = now + std::min(limits_.introduction, limits_.first_message)};
  mailbox.last_visitor = from.from;
  schedule(place);
  give_place(id, from, place->first);
  send(id, Joined{});
  send(mailbox.host, PeerJoined{.introduction = introductions_});
}

void Mailboxes::on(ConnectionId id, Connection& from, Relay& request, TimePoint now) {
  const auto place = mailboxes_.find(from.mailbox);
  if (place == mailboxes_.end() || !place->second.visitor) return count(Denial::nobody_there);
  Visitor& visitor = *place->second.visitor;
  if (request.introduction.value_or(visitor.introduction) != visitor.introduction)
    return count(Denial::stale);
  if (visitor.id == id && !visitor.has_spoken) {
    begin_introduction(place->second, visitor);
    schedule(place);
  }
  visitor.messages += 1;
  visitor.bytes += Bytes{request.body.size()};
  if (visitor.messages > limits_.introduction_messages || visitor.bytes > limits_.introduction_bytes) {
    const ConnectionId ended = visitor.id;
    return refuse_and_close(ended, Denial::introduction_full,
                            {.code = RefusalCode::limit_exceeded,
                             .message = "More messages than one introduction may have.",
                             .retry_after = {}},
                            now);
  }
  send(visitor.id == id ? place->second.host : visitor.id, Delivered{.body = std::move(request.body)});
}

void Mailboxes::on(ConnectionId id, Connection& from, Release& request, TimePoint now) {
  const auto place = mailboxes_.find(from.mailbox);
  if (place == mailboxes_.end()) return count(Denial::nobody_there);
  Mailbox& mailbox = place->second;
  if (mailbox.host != id) {
    return refuse_and_close(
        id, Denial::out_of_turn,
        {.code = RefusalCode::malformed, .message = "Only the host may release.", .retry_after = {}}, now);
  }
  if (!mailbox.visitor) return count(Denial::nobody_there);
  if (request.introduction.value_or(mailbox.visitor->introduction) != mailbox.visitor->introduction) {
    return count(Denial::stale);
  }
  send(mailbox.visitor->id, PeerLeft{.reason = LeaveReason::released});
  take_place(mailbox.visitor->id, now);
  end_visit(place, now);
}

void Mailboxes::on(ConnectionId id, Connection& from, Burn&, TimePoint now) {
  const auto place = mailboxes_.find(from.mailbox);
  if (place == mailboxes_.end()) return count(Denial::nobody_there);
  Mailbox& mailbox = place->second;
  if (mailbox.host != id) {
    return refuse_and_close(
        id, Denial::out_of_turn,
        {.code = RefusalCode::malformed, .message = "Only the host may burn.", .retry_after = {}}, now);
  }
  charge_burn(mailbox, now);
  if (mailbox.visitor) {
    const ConnectionId visitor = mailbox.visitor->id;
    send(visitor,
         Refusal{.code = RefusalCode::burnt, .message = "The host has burnt this code.", .retry_after = {}});
    mailbox.visitor.reset();
    close(visitor);
  }
  remove(place, NumberEnd::burnt, now);
  take_place(id, now);
}

void Mailboxes::on(ConnectionId id, Connection&, Ping&, TimePoint) {
  send(id, Pong{});
}

/// All mailboxes are taken: a block that has more than the newcomer's will have gives one up, whose host has
/// waited longest. Where all have as many it stays as it is: a host that waits is as good as one that comes.
bool Mailboxes::has_room_for_another(const Connection& of, TimePoint now) {
  if (hosts_.largest_share() <= hosts_.held_by(of.from) + 1) return false;
  const auto host = hosts_.evict();
  if (host) give_way(ConnectionId{*host}, now);
  return host.has_value();
}

/// A visitor that has not said anything yet yields to the next one after a while.
bool Mailboxes::has_second_place(Places::iterator place, TimePoint now) {
  const auto& visitor = place->second.visitor;
  if (!visitor) return true;
  if (visitor->has_spoken || now - visitor->since < limits_.visitor_yields) return false;
  if (place->second.expires <= now) return false;  // it is open for this visitor only
  const ConnectionId mute = visitor->id;
  refuse(mute, Denial::mute_visitor,
         {.code = RefusalCode::limit_exceeded,
          .message = "Nothing was said, and somebody else wants the place.",
          .retry_after = limits_.retry_later});
  send(place->second.host, PeerLeft{.reason = LeaveReason::timed_out});
  place->second.visitor.reset();
  close(mute);
  return true;
}

/// From now on neither waits for somebody.
void Mailboxes::begin_introduction(Mailbox& mailbox, Visitor& visitor) {
  visitor.has_spoken = true;
  visitor.until = visitor.since + limits_.introduction;
  waiters_.give_back(slot_of(visitor.id));
  hosts_.give_back(slot_of(mailbox.host));
}

/// A burnt code is a guess that failed: whoever made it has one try less, present or gone. A host that burns
/// whatever comes must not use up its visitors' tries, so that its burns count once in a while only.
void Mailboxes::charge_burn(const Mailbox& mailbox, TimePoint now) {
  if (mailbox.last_visitor.narrow.empty()) return;
  const std::string pair = mailbox.block + ' ' + mailbox.last_visitor.narrow;
  if (burns_.wait(pair, now) > Duration::zero()) return;
  burns_.charge(pair, now);
  charge_try(mailbox.last_visitor, now);
}

Duration Mailboxes::wait_to_try(const transport::AddressBlocks& from, TimePoint now) const {
  const Duration alone = tries_.wait(from.narrow, now);
  return from.wide == from.narrow ? alone : std::max(alone, network_tries_.wait(from.wide, now));
}

void Mailboxes::charge_try(const transport::AddressBlocks& from, TimePoint now) {
  tries_.charge(from.narrow, now);
  if (from.wide != from.narrow) network_tries_.charge(from.wide, now);
}

void Mailboxes::give_way(ConnectionId id, TimePoint now) {
  refuse_and_close(id, Denial::gave_way,
                   {.code = RefusalCode::limit_exceeded,
                    .message = "Too many wait at this hub; a newcomer has this place now.",
                    .retry_after = limits_.retry_later},
                   now);
}

// --- saying no
// ------------------------------------------------------------------------------------------------------

void Mailboxes::refuse(ConnectionId id, Denial why, Refusal refusal) {
  count(why);
  send(id, std::move(refusal));
}

void Mailboxes::refuse_join(ConnectionId id, Connection& from, const std::string& mailbox, TimePoint now) {
  charge_try(from.from, now);
  std::optional<NumberEnd> ended;
  if (const auto number = as_number(mailbox)) ended = numbers_.ended(*number);
  if (ended == NumberEnd::burnt) {
    return refuse(id, Denial::burnt_mailbox,
                  {.code = RefusalCode::burnt, .message = "This code has been burnt.", .retry_after = {}});
  }
  if (ended == NumberEnd::expired) {
    return refuse(id, Denial::expired_mailbox,
                  {.code = RefusalCode::expired, .message = "This code has expired.", .retry_after = {}});
  }
  refuse(id, Denial::unknown_mailbox,
         {.code = RefusalCode::not_found, .message = "No host waits there.", .retry_after = {}});
}

void Mailboxes::refuse_and_close(ConnectionId id, Denial why, Refusal refusal, TimePoint now) {
  const LeaveReason reason =
      why == Denial::introduction_full ? LeaveReason::limit_exceeded : LeaveReason::lost;
  refuse(id, why, std::move(refusal));
  leave(id, reason, now);
  close(id);
}

bool Mailboxes::may_ask(ConnectionId id, Connection& from, TimePoint now) {
  from.rate = std::max(from.rate, now) + limits_.request_interval;
  if (from.rate - now <= limits_.request_interval * limits_.request_burst) return true;
  refuse_and_close(id, Denial::too_fast,
                   {.code = RefusalCode::limit_exceeded, .message = "Too many requests.", .retry_after = {}},
                   now);
  return false;
}

bool Mailboxes::has_no_place(ConnectionId id, const Connection& from, TimePoint now) {
  if (from.mailbox.empty()) return true;
  refuse_and_close(
      id, Denial::out_of_turn,
      {.code = RefusalCode::malformed, .message = "This connection has a place already.", .retry_after = {}},
      now);
  return false;
}

// --- coming and going
// -----------------------------------------------------------------------------------------------

/// Frees the place of a connection that goes, and tells whoever is in the other one.
void Mailboxes::leave(ConnectionId id, LeaveReason reason, TimePoint now) {
  const auto place = mailboxes_.find(connections_.at(id).mailbox);
  if (place == mailboxes_.end()) return;
  Mailbox& mailbox = place->second;
  if (mailbox.host != id) {
    send(mailbox.host, PeerLeft{.reason = reason});
    end_visit(place, now);
    return;
  }
  if (mailbox.visitor) {
    send(mailbox.visitor->id, PeerLeft{.reason = reason});
    take_place(mailbox.visitor->id, now);
  }
  remove(place, NumberEnd::gone, now);
}

void Mailboxes::end_visit(Places::iterator place, TimePoint now) {
  place->second.visitor.reset();
  schedule(place);
  const ConnectionId host = place->second.host;
  if (!hosts_.holds(slot_of(host))) hosts_.add(slot_of(host), connections_.at(host).from, now);
  if (place->second.expires <= now) expire_mailbox(place, now);  // it was kept open for this visitor only
}

void Mailboxes::remove(Places::iterator place, NumberEnd end, TimePoint now) {
  Mailbox& mailbox = place->second;
  deadlines_.erase({mailbox.deadline, place->first});
  hosts_.give_back(slot_of(mailbox.host));
  const auto held = per_block_.find(mailbox.block);
  ENSURE(held != per_block_.end());
  if (--held->second == 0) per_block_.erase(held);
  if (mailbox.number) numbers_.give_back(*mailbox.number, end, now);
  mailboxes_.erase(place);
}

void Mailboxes::give_place(ConnectionId id, Connection& to, const std::string& mailbox) {
  silences_.erase({to.deadline, id});
  to.mailbox = mailbox;
}

/// Leaves a connection without a place: from now on it must speak within `placeless`.
void Mailboxes::take_place(ConnectionId id, TimePoint now) {
  Connection& connection = connections_.at(id);
  silences_.erase({connection.deadline, id});
  connection.mailbox.clear();
  if (!waiters_.holds(slot_of(id))) waiters_.add(slot_of(id), connection.from, now);
  connection.deadline = now + waiters_.allowed(limits_.placeless);
  silences_.emplace(connection.deadline, id);
}

void Mailboxes::close(ConnectionId id) {
  const auto found = connections_.find(id);
  silences_.erase({found->second.deadline, id});
  waiters_.give_back(slot_of(id));
  hosts_.give_back(slot_of(id));
  connections_.erase(found);
  actions_.emplace_back(Close{.who = id});
}

// --- time
// -----------------------------------------------------------------------------------------------------------

void Mailboxes::schedule(Places::iterator place) {
  Mailbox& mailbox = place->second;
  deadlines_.erase({mailbox.deadline, place->first});
  mailbox.deadline = mailbox.visitor ? mailbox.visitor->until : mailbox.expires;
  if (mailbox.deadline != TimePoint::max()) deadlines_.emplace(mailbox.deadline, place->first);
}

void Mailboxes::expire_due(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    expire_mailbox(mailboxes_.find(deadlines_.begin()->second), now);
  }
  while (!silences_.empty() && silences_.begin()->first <= now) {
    count(Denial::silent);
    close(silences_.begin()->second);
  }
}

void Mailboxes::expire_mailbox(Places::iterator place, TimePoint now) {
  Mailbox& mailbox = place->second;
  if (mailbox.visitor) {
    const ConnectionId visitor = mailbox.visitor->id;
    count(Denial::introduction_late);
    send(visitor, Expired{});
    leave(visitor, LeaveReason::timed_out, now);
    close(visitor);
    return;
  }
  const ConnectionId host = mailbox.host;
  send(host, Expired{});
  remove(place, NumberEnd::expired, now);
  take_place(host, now);
}

}  // namespace sluice::hub
