#include "hub/gateway/home.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"

namespace sluice::hub {
namespace {

using wire::hub::Delivery;
using wire::hub::Level;
using wire::hub::Position;
using wire::hub::Reason;

/// What a message takes of the backlog for each receiver, beside its content.
constexpr std::size_t kDeliveryOverhead = 64;

std::size_t weight(const Delivery& delivery) {
  return delivery.content.bytes.size() + delivery.from.size() + delivery.id.size() + delivery.key.size();
}

/// When a message is worthless: what its sender asks for, within what the route allows. 0: never.
wire::hub::UnixMs expiry_of(const wire::hub::Publish& publish, const Route& route, Moment now) {
  std::int64_t ttl_ms = publish.ttl_ms;
  if (route.ttl) {
    const auto most = std::chrono::ceil<std::chrono::milliseconds>(*route.ttl).count();
    ttl_ms = ttl_ms == 0 ? most : std::min<std::int64_t>(ttl_ms, most);
  }
  return ttl_ms == 0 ? 0 : now.wall + ttl_ms;
}

}  // namespace

Home::Home(wire::hub::Conversation conversation, Position head, Surroundings surroundings,
           HomeOptions options)
    : conversation_(std::move(conversation)),
      head_(head),
      began_(head.offset),
      logged_(head),
      around_(surroundings),
      options_(options) {}

void Home::publish(Incoming incoming, Moment now) {
  const wire::hub::Publish& publish = incoming.publish;
  const MessagePrint known =
      around_.dedup.print_of({.to = conversation_, .from = incoming.user, .id = publish.id});
  if (const auto first = around_.dedup.find(known, now.at)) return answer_duplicate(incoming, *first);
  if (publish.level >= Level::stored && !around_.route->stored) {
    return refuse(incoming, Reason::not_stored, "Messages of this conversation are not stored.", {});
  }
  if (publish.level >= Level::stored && !around_.log.durable()) {
    return refuse(incoming, Reason::not_stored,
                  "This hub keeps messages in memory only: it was started without --data (store.folder).",
                  {});
  }
  if (!has_backlog_room(incoming)) {
    return refuse(incoming, Reason::overloaded, "Too much of what you have sent is still to be handed out.",
                  limits::kRetryAfterFull);
  }
  if (publish.level == Level::delivered && !awaited_of_.take(incoming.user)) {
    return refuse(incoming, Reason::too_many_requests, "Too many deliveries are awaited here.",
                  limits::kRetryAfterFull);
  }
  const Position position{.epoch = head_.epoch, .offset = head_.offset + 1};
  auto message = std::make_shared<LoggedMessage>(
      LoggedMessage{.delivery = {.from = incoming.user,
                                 .to = conversation_,
                                 .id = publish.id,
                                 .position = position,
                                 .sent_at = now.wall,
                                 .content = publish.content,
                                 .key = publish.key,
                                 .critical = around_.route->urgency == flow::Urgency::critical},
                    .expires_at = expiry_of(publish, *around_.route, now),
                    .print = known});
  if (around_.route->stored) {
    if (const auto reason = store(incoming, message)) {
      if (publish.level == Level::delivered) awaited_of_.give_back(incoming.user);
      return refuse(incoming, *reason, "The hub cannot store it now.", limits::kRetryAfterFull);
    }
  }
  head_ = position;
  around_.dedup.remember(known, position, now.at);
  if (publish.level == Level::delivered) await_delivery(incoming, position);
  if (publish.level == Level::accepted) {
    around_.port.answer(incoming.from, {.seq = publish.seq, .id = publish.id, .position = position});
  }
  add_to_batch(message->delivery, incoming.share, now);
}

std::optional<Reason> Home::store(const Incoming& incoming, const SharedMessage& message) {
  const auto ticket = around_.port.store(message);
  if (!ticket) return ticket.error().code == Errc::busy ? Reason::store_full : Reason::store_failed;
  Unstored unstored{.ticket = *ticket, .message = message};
  const Level level = incoming.publish.level;
  if (level >= Level::stored) {
    unstored.waiters.push_back({.from = incoming.from,
                                .seq = incoming.publish.seq,
                                .awaits_delivery = level == Level::delivered,
                                .duplicate = false});
  }
  unstored_.push_back(std::move(unstored));
  return std::nullopt;
}

/// Tells what is known of the first one, at once or when it is on the disk. Whether it was delivered before
/// is not known any more; when that happens from now on, a receipt of its own tells it.
void Home::answer_duplicate(const Incoming& incoming, Position first) {
  const wire::hub::Publish& publish = incoming.publish;
  Level level = Level::accepted;
  if (publish.level == Level::delivered && around_.route->stored) hope_for_delivery(incoming, first);
  if (publish.level >= Level::stored && around_.route->stored && around_.log.durable()) {
    const auto unstored = std::ranges::find(
        unstored_, first, [](const Unstored& waiting) { return waiting.message->delivery.position; });
    if (unstored != unstored_.end()) {
      unstored->waiters.push_back(
          {.from = incoming.from, .seq = publish.seq, .awaits_delivery = false, .duplicate = true});
      return;
    }
    level = Level::stored;
  }
  around_.port.answer(
      incoming.from,
      {.seq = publish.seq, .id = publish.id, .level = level, .position = first, .duplicate = true});
}

bool Home::on_stored(std::uint64_t ticket, const Status& outcome) {
  if (unstored_.empty() || unstored_.front().ticket != ticket) return false;
  const Unstored stored = unstored_.take_front();
  const Delivery& delivery = stored.message->delivery;
  if (!outcome) {
    // Receivers have it; it is its sender who relied on the disk, and may send it again.
    for (auto* const waiting : {&awaited_, &hoped_, &processed_}) {
      const auto [begin, end] = waiting->equal_range(delivery.position.offset);
      for (auto entry = begin; entry != end;) entry = forget_awaited(*waiting, entry);
    }
    around_.dedup.forget(stored.message->print, delivery.position);
  } else {
    logged_ = delivery.position;
  }
  for (const Waiter& waiter : stored.waiters) {
    wire::hub::Receipt receipt{
        .seq = waiter.seq, .id = delivery.id, .position = delivery.position, .duplicate = waiter.duplicate};
    if (!outcome) {
      receipt.reason = Reason::store_failed;
      receipt.message = outcome.error().message;
    } else if (!waiter.awaits_delivery) {
      receipt.level = Level::stored;
    }
    // Who awaits the delivery learns by an Ack that it is stored: how long the rest takes is up to others.
    around_.port.answer(waiter.from, std::move(receipt));
  }
  tell_delivered();
  return true;
}

void Home::refuse(const Incoming& incoming, Reason reason, std::string message, Duration retry_after) {
  around_.port.answer(incoming.from, {.seq = incoming.publish.seq,
                                      .id = incoming.publish.id,
                                      .reason = reason,
                                      .message = std::move(message),
                                      .retry_after_ms = in_ms(retry_after)});
}

void Home::await_delivery(const Incoming& incoming, Position position) {
  awaited_.emplace(position.offset, Awaited{.from = incoming.from,
                                            .seq = incoming.publish.seq,
                                            .id = incoming.publish.id,
                                            .user = incoming.user,
                                            .position = position,
                                            .duplicate = false});
}

/// What it held of its user's share is free again.
Home::AwaitedByOffset::iterator Home::forget_awaited(AwaitedByOffset& from, AwaitedByOffset::iterator entry) {
  (entry->second.duplicate ? hoped_of_ : awaited_of_).give_back(entry->second.user);
  return from.erase(entry);
}

/// Once for each connection and message, however often it is repeated.
void Home::hope_for_delivery(const Incoming& incoming, Position first) {
  const auto [begin, end] = hoped_.equal_range(first.offset);
  const auto same =
      std::find_if(begin, end, [&](const auto& each) { return each.second.from == incoming.from; });
  if (same != end) {
    same->second.seq = incoming.publish.seq;
  } else if (hoped_of_.take(incoming.user)) {
    hoped_.emplace(first.offset, Awaited{.from = incoming.from,
                                         .seq = incoming.publish.seq,
                                         .id = incoming.publish.id,
                                         .user = incoming.user,
                                         .position = first,
                                         .duplicate = true});
  }
}

void Home::abandon(ConnectionRef who) {
  for (auto* const waiting : {&awaited_, &hoped_, &processed_}) {
    for (auto entry = waiting->begin(); entry != waiting->end();)
      entry = entry->second.from == who ? forget_awaited(*waiting, entry) : std::next(entry);
  }
}

/// Only what is in a stretch: a receiver that is further on was not sent everything before it. `epoch` is
/// that of the last: nothing of a later one is among them.
void Home::on_processed(std::uint64_t epoch, const std::vector<Stretch>& received) {
  for (auto* const waiting : {&awaited_, &hoped_}) {
    if (waiting->empty()) continue;
    for (const Stretch& stretch : received) {
      const auto end = waiting->upper_bound(stretch.last);
      for (auto it = waiting->lower_bound(stretch.first); it != end;) {
        const auto next = std::next(it);
        if (it->second.position.epoch <= epoch) processed_.insert(waiting->extract(it));
        it = next;
      }
    }
  }
  if (processed_.empty()) return;
  tell_delivered();
}

/// Delivered says stored as well: what has been processed before its commit waits for that.
void Home::tell_delivered() {
  const auto end = unstored_.empty()
                       ? processed_.end()
                       : processed_.lower_bound(unstored_.front().message->delivery.position.offset);
  for (auto it = processed_.begin(); it != end;) {
    around_.port.answer(it->second.from, {.seq = it->second.seq,
                                          .id = it->second.id,
                                          .level = Level::delivered,
                                          .position = it->second.position,
                                          .duplicate = it->second.duplicate});
    it = forget_awaited(processed_, it);
  }
}

void Home::subscribe(ShardId shard, wire::hub::Encoding encoding) {
  if (subscribers_.size() <= shard) subscribers_.resize(shard + std::size_t{1});
  ++subscribers_[shard][static_cast<std::size_t>(encoding)];
  ++subscribers_in_all_;
}

void Home::unsubscribe(ShardId shard, wire::hub::Encoding encoding) {
  ENSURE(shard < subscribers_.size() && subscribers_[shard][static_cast<std::size_t>(encoding)] > 0);
  --subscribers_[shard][static_cast<std::size_t>(encoding)];
  --subscribers_in_all_;
}

/// What everybody's messages share is so divided that one sender leaves room for others; a little may be on
/// its way of anyone, and one message of whatever size.
bool Home::has_backlog_room(const Incoming& incoming) const {
  if (subscribers_in_all_ == 0 || !incoming.share) return true;
  const Bytes more = backlog_of(incoming.publish.content.bytes.size());
  const Bytes own = incoming.share->backlog->stats().held;
  if (own == Bytes{} || own + more <= limits::kFanoutBacklog / limits::kFanoutFreeShare) return true;
  const flow::AccountStats all = around_.ledger.backlog->stats();
  return flow::Threshold{.limit = all.limit.count(), .weight = limits::kFanoutWeight}.admits(
      {.own = own.count(), .all = all.held.count()}, more.count());
}

Bytes Home::backlog_of(std::size_t size) const {
  return Bytes{size + kDeliveryOverhead} * subscribers_in_all_;
}

void Home::add_to_batch(Delivery delivery, const std::shared_ptr<UserShare>& sender, Moment now) {
  if (subscribers_in_all_ == 0) return;
  const std::size_t size = weight(delivery);
  const bool alone = around_.route->policy == flow::DropPolicy::conflate;  // an outbox replaces whole batches
  if (!batch_.empty() && (alone || batch_bytes_ + size > limits::kBatchBytes.count())) flush(now.at);
  batch_bytes_ += size;
  if (batch_.empty()) batch_begun_ = now.at;
  if (sender) batch_backlog_.emplace_back(sender->backlog, backlog_of(delivery.content.bytes.size()));
  batch_.push_back(std::move(delivery));
  if (alone || now.at - flushed_at_ >= options_.tick) flush(now.at);
}

std::optional<TimePoint> Home::flush_due() const {
  return batch_.empty() ? std::nullopt : std::optional{flushed_at_ + options_.tick};
}

void Home::flush(TimePoint now) {
  if (batch_.empty()) return;
  const std::vector<wire::hub::FromHub> messages = std::exchange(batch_, {});
  batch_bytes_ = 0;
  flushed_at_ = now;
  auto batch = std::make_shared<Batch>(Batch{.epoch = head_.epoch,
                                             .first = std::get<Delivery>(messages.front()).position.offset,
                                             .count = static_cast<std::uint32_t>(messages.size()),
                                             .urgency = around_.route->urgency,
                                             .policy = around_.route->policy,
                                             .begun = batch_begun_});
  // Several came together under a route that has changed since.
  if (around_.route->policy == flow::DropPolicy::conflate && messages.size() == 1)
    batch->key = std::get<Delivery>(messages.front()).key;
  for (std::size_t encoding = 0; encoding < wire::hub::kEncodings; ++encoding) {
    const bool spoken =
        std::ranges::any_of(subscribers_, [&](const auto& shard) { return shard[encoding] > 0; });
    if (spoken)
      batch->frames[encoding] = around_.port.encode(messages, static_cast<wire::hub::Encoding>(encoding));
  }
  charge(*batch);
  for (std::size_t shard = 0; shard < subscribers_.size(); ++shard) {
    if (std::ranges::all_of(subscribers_[shard], [](std::uint32_t count) { return count == 0; })) continue;
    around_.port.hand_out(static_cast<ShardId>(shard), conversation_, batch);
  }
}

/// As long as anybody is still to be given it.
void Home::charge(Batch& batch) {
  Bytes bytes;
  for (const SharedFrames& frames : batch.frames) {
    if (frames) bytes += size_of(frames->bytes());
  }
  batch.memory = {around_.ledger.process, bytes};
  batch.backlog = std::exchange(batch_backlog_, {});
}

/// What is not stored has no history before this home's.
Result<History> Home::history() {
  std::vector<Position> begins;
  if (around_.route->stored) {
    if (!past_) {
      auto past = around_.log.history(conversation_);
      if (!past) return fail(std::move(past.error()));
      past_ = std::move(*past);
    }
    begins = *past_;
  }
  if (begins.empty() || begins.back().epoch != head_.epoch)
    begins.push_back({.epoch = head_.epoch, .offset = began_ + 1});
  return History{std::move(begins), head_};
}

History::Epoch Home::whose(std::uint64_t epoch) const {
  const bool ours = epoch == head_.epoch || (around_.route->stored && around_.log.knows(epoch));
  return ours ? History::Epoch::ours : History::Epoch::foreign;
}

Result<Junction> Home::junction(Position position) {
  // The usual case asks no log.
  if (position.epoch == head_.epoch && position.offset >= began_ && position.offset <= head_.offset)
    return Junction{.from = position};
  const auto past = history();
  if (!past) return fail(past.error());
  return past->junction(position, whose(position.epoch));
}

Result<Home::Reading> Home::reading(Range range) {
  const auto past = history();
  if (!past) return fail(past.error());
  // Without an epoch it is this history's own.
  const std::uint64_t epoch = range.epoch == 0 ? head_.epoch : range.epoch;
  const std::uint64_t first = std::max<std::uint64_t>(range.first, 1);
  const Position before{.epoch = epoch, .offset = first - 1};
  const std::uint64_t end = past->end_of(epoch);
  if (whose(epoch) == History::Epoch::foreign || first > (range.last == 0 ? end + 1 : end)) {
    return Reading{.after = before,
                   .last = range.last,
                   .foreign = Stretch{.first = first, .last = std::max(first, range.last)}};
  }
  Reading reading{.after = past->placed(before), .last = range.last};
  if (range.last > end && epoch != head_.epoch) {
    reading.foreign = Stretch{.first = end + 1, .last = range.last};
    reading.last = end;
  }
  return reading;
}

Result<LogPage> Home::page(Position after, PageLimits limits) {
  LogPage page;
  if (around_.route->stored) {
    auto read = around_.log.page(conversation_, after, limits);
    if (!read) return read;
    page = std::move(*read);
    if (page.more) return page;
    if (!page.messages.empty()) after = page.messages.back().delivery.position;
  }
  std::size_t bytes = 0;
  for (const LoggedMessage& message : page.messages) bytes += weight(message.delivery);
  for (const Unstored& unstored : unstored_) {
    const Delivery& delivery = unstored.message->delivery;
    if (delivery.position <= after) continue;
    bytes += weight(delivery);
    if (!page.messages.empty() && (page.messages.size() >= limits.messages || bytes > limits.bytes.count())) {
      page.more = true;
      break;
    }
    if (page.first == Position{}) page.first = delivery.position;
    page.messages.push_back(*unstored.message);
  }
  return page;
}

bool Home::idle() const {
  return subscribers_in_all_ == 0 && batch_.empty() && unstored_.empty() && awaited_.empty() &&
         hoped_.empty() && processed_.empty();
}

}  // namespace sluice::hub
