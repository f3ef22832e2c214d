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

}  // namespace

Mailboxes::Mailboxes(MailboxLimits limits, Random random)
    : limits_(limits), numbers_(limits.numbers, std::move(random)), tries_(limits.tries) {}

void Mailboxes::connected(ConnectionId id, std::string block, TimePoint now) {
  const auto [place, fresh] = connections_.emplace(
      id, Connection{.block = std::move(block), .mailbox = {}, .rate = now, .deadline = {}});
  ENSURE(fresh);
  take_place(id, now);
}

MailboxActions Mailboxes::handle(ConnectionId id, Request request, TimePoint now) {
  expire_due(now);
  const auto found = connections_.find(id);
  if (found != connections_.end() && may_ask(id, found->second, now)) {
    if (found->second.mailbox.empty()) take_place(id, now);  // it has spoken: its silence begins anew
    std::visit([&](auto& asked) { on(id, found->second, asked, now); }, request);
  }
  return done();
}

MailboxActions Mailboxes::malformed(ConnectionId id, std::string why, TimePoint now) {
  if (connections_.contains(id)) {
    refuse_and_close(id, Denial::malformed,
                     {.code = RefusalCode::malformed, .message = std::move(why), .retry_after = {}}, now);
  }
  return done();
}

MailboxActions Mailboxes::disconnected(ConnectionId id, LeaveReason reason, TimePoint now) {
  if (!connections_.contains(id)) return done();
  if (reason == LeaveReason::too_slow) count(Denial::too_slow);
  leave(id, reason, now);
  close(id);
  actions_.pop_back();  // it is closed already
  return done();
}

MailboxActions Mailboxes::expire(TimePoint now) {
  expire_due(now);
  return done();
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
  if (mailboxes_.size() >= limits_.mailboxes) {
    return refuse(id, Denial::hub_full,
                  {.code = RefusalCode::limit_exceeded,
                   .message = "This hub has no mailbox left.",
                   .retry_after = limits_.retry_later});
  }
  if (const auto held = per_block_.find(from.block);
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
  std::optional<MailboxNumber> number;
  if (!request.name) number = numbers_.take(now);
  const std::string name = number ? std::to_string(*number) : *request.name;
  const auto [place, fresh] =
      mailboxes_.emplace(name, Mailbox{.host = id,
                                       .block = from.block,
                                       .number = number,
                                       .expires = number ? now + limits_.life : TimePoint::max(),
                                       .visitor = {},
                                       .last_visitor_block = {},
                                       .deadline = TimePoint::max()});
  ENSURE(fresh);
  schedule(place);
  ++per_block_[from.block];
  give_place(id, from, name);
  std::optional<std::chrono::seconds> expires_in;
  if (number) expires_in = std::chrono::floor<std::chrono::seconds>(limits_.life);
  send(id, Opened{.mailbox = name, .expires_in = expires_in});
}

void Mailboxes::on(ConnectionId id, Connection& from, Join& request, TimePoint now) {
  if (!has_no_place(id, from, now)) return;
  if (const Duration wait = tries_.wait(from.block, now); wait > Duration::zero()) {
    return refuse(id, Denial::too_many_tries,
                  {.code = RefusalCode::too_many_tries,
                   .message = "Too many failed tries from your address.",
                   .retry_after = round_up(wait)});
  }
  const auto place = mailboxes_.find(request.mailbox);
  if (place == mailboxes_.end()) return refuse_join(id, from, request.mailbox, now);
  Mailbox& mailbox = place->second;
  if (mailbox.visitor) {
    return refuse(id, Denial::place_taken,
                  {.code = RefusalCode::busy,
                   .message = "Somebody else is being introduced there.",
                   .retry_after = limits_.retry_soon});
  }
  mailbox.visitor = Visitor{.id = id, .introduction = ++introductions_, .until = now + limits_.introduction};
  mailbox.last_visitor_block = from.block;
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
  // A burnt code is a guess that failed: whoever made it has one try less, present or gone.
  if (!mailbox.last_visitor_block.empty()) tries_.charge(mailbox.last_visitor_block, now);
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

// --- saying no
// ------------------------------------------------------------------------------------------------------

void Mailboxes::refuse(ConnectionId id, Denial why, Refusal refusal) {
  count(why);
  send(id, std::move(refusal));
}

void Mailboxes::refuse_join(ConnectionId id, Connection& from, const std::string& mailbox, TimePoint now) {
  tries_.charge(from.block, now);
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
  if (place->second.expires <= now) expire_mailbox(place, now);  // it was kept open for this visitor only
}

void Mailboxes::remove(Places::iterator place, NumberEnd end, TimePoint now) {
  Mailbox& mailbox = place->second;
  deadlines_.erase({mailbox.deadline, place->first});
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
  connection.deadline = now + limits_.placeless;
  silences_.emplace(connection.deadline, id);
}

void Mailboxes::close(ConnectionId id) {
  const auto found = connections_.find(id);
  silences_.erase({found->second.deadline, id});
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
