#include "hub/gateway/receiver.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub {
namespace {

using wire::hub::Reason;

flow::OutboxLimits effective(const ReceiverLimits& limits) {
  flow::OutboxLimits outbox = limits.outbox;
  outbox.drop_when_unwritable = outbox.drop_when_unwritable && limits.enabled && !limits.dry_run;
  return outbox;
}

Receiver::Processed& of_source(std::vector<Receiver::Processed>& all, std::uint64_t source) {
  const auto known = std::ranges::find(all, source, &Receiver::Processed::source);
  return known == all.end() ? all.emplace_back(Receiver::Processed{.source = source}) : *known;
}

}  // namespace

Receiver::Receiver(Identity identity, const ReceiverLimits& limits, transport::MessageSocket& socket,
                   std::shared_ptr<flow::Account> account, Books& books, GapFrames gap_frames)
    : identity_(identity),
      limits_(limits),
      socket_(socket),
      account_(std::move(account)),
      books_(books),
      gap_frames_(std::move(gap_frames)),
      outbox_(effective(limits)) {}

Receiver::~Receiver() {
  books_.expired += pending_copies();
  account_->release(charged_);
}

void Receiver::deliver(std::uint64_t source, const Batch& batch, TimePoint now) {
  ENSURE(source != 0);
  books_.accepted += batch.count;
  send({.frames = batch.in(identity_.encoding),
        .urgency = batch.urgency,
        .policy = batch.policy,
        .source = source,
        .first = batch.first,
        .counted = true,
        .begun = batch.begun,
        .key = batch.key},
       now);
}

void Receiver::say(SharedFrames frames, Counts counts, TimePoint now, std::uint64_t about) {
  send({.frames = std::move(frames),
        .urgency = flow::Urgency::critical,
        .counted = counts == Counts::yes,
        .about = about},
       now);
}

void Receiver::send(flow::OutboxItem item, TimePoint now) {
  const Frames& frames = *item.frames;
  const Bytes size = size_of(frames.bytes());
  std::size_t taken = 0;
  const bool nothing_waits = outbox_.empty() && !outbox_.has_drops() && !blocked_ && !overflowed_;
  if (nothing_waits && (!item.counted || size <= allowance())) {
    taken = socket_.write(frames.bytes());
    std::size_t whole = 0;
    while (whole < frames.count() && frames.end_of(whole) <= taken) ++whole;
    if (whole > 0) {
      const std::uint64_t counted = item.counted ? whole : 0;
      note_sent({.messages = whole,
                 .counted = counted,
                 .counted_bytes = counted > 0 ? Bytes{frames.end_of(whole - 1)} : Bytes{},
                 .source = item.source,
                 .last = item.first + whole - 1,
                 .urgency = item.urgency,
                 .begun = item.begun},
                now);
    }
    if (taken == frames.bytes().size()) return;
    blocked_ = true;
  }
  push(std::move(item), now, taken);
  flush(now);  // as far as the window lets it: perhaps nothing is left that would be acknowledged
}

void Receiver::push(flow::OutboxItem item, TimePoint now, std::size_t begun) {
  const bool is_copy = item.source != 0;
  if (limits_.dry_run && item.urgency == flow::Urgency::normal && !outbox_.writable()) {
    stats_.would_drop += item.frames->count();
  }
  const std::uint64_t waiting_before = outbox_.waiting();
  const std::uint64_t dropped_before = outbox_.stats().dropped;
  std::size_t whole = 0;
  while (begun > 0 && item.frames->end_of(whole) <= begun) ++whole;
  const std::uint64_t rest = item.frames->count() - whole;
  const auto pushed = outbox_.push(std::move(item), now, begun);
  const std::uint64_t dropped = outbox_.stats().dropped - dropped_before;
  books_.gapped += dropped;
  if (pushed == flow::Outbox::Pushed::overflow) {
    overflowed_ = true;
    if (is_copy) books_.expired += rest;
    queued_copies_ -= dropped;
  } else {
    queued_copies_ += is_copy ? rest : 0;
    queued_copies_ -= dropped;
  }
  ENSURE(outbox_.waiting() <= waiting_before + rest);
  settle_account();
}

void Receiver::on_writable(TimePoint now) {
  blocked_ = false;
  flush(now);
}

/// Nothing more once there was no room for something: the client would hear what comes behind it without it,
/// or the rest of a frame would be missing.
void Receiver::flush(TimePoint now) {
  while (!blocked_ && !overflowed_) {
    const ByteView front = outbox_.front(allowance());
    if ((outbox_.empty() || !front.empty()) && tell_gaps(now)) continue;
    if (front.empty()) break;
    const std::size_t taken = socket_.write(front);
    blocked_ = taken < front.size();
    if (taken == 0) break;
    const auto sent = outbox_.advance(taken, now);
    if (sent.source != 0) queued_copies_ -= sent.messages;
    note_sent(sent, now);
  }
  settle_account();
}

/// Only when the next bytes can go: until then more is dropped, and told in one. False: there was nothing to
/// say.
bool Receiver::tell_gaps(TimePoint now) {
  if (!outbox_.has_drops()) return false;
  return tell(outbox_.empty() ? outbox_.take_drops() : outbox_.take_drops_before_next(), now);
}

bool Receiver::tell(const std::vector<flow::Drop>& drops, TimePoint now, std::uint64_t about) {
  SharedFrames frames = drops.empty() ? nullptr : gap_frames_(drops);
  if (!frames) return false;
  push({.frames = std::move(frames), .urgency = flow::Urgency::critical, .counted = true, .about = about},
       now, 0);
  return true;
}

void Receiver::note_sent(const flow::Outbox::Sent& sent, TimePoint now) {
  if (sent.messages == 0) return;
  const bool is_copy = sent.source != 0;
  if (sent.begun != TimePoint{}) books_.times.add(now - sent.begun, sent.messages);
  if (!identity_.acknowledges) {
    if (is_copy) books_.delivered += sent.messages;
    return;
  }
  if (sent.counted == 0) return;
  sent_seq_ += sent.counted;
  unacknowledged_.push_back({.seq = sent_seq_,
                             .source = sent.source,
                             .last = sent.last,
                             .messages = sent.counted,
                             .bytes = sent.counted_bytes,
                             .at = now});
  unacknowledged_bytes_ += sent.counted_bytes;
  if (is_copy) unacknowledged_copies_ += sent.counted;
}

void Receiver::Processed::add(Stretch more) {
  last = std::max(last, more.last);
  if (!received.empty() && received.back().last + 1 == more.first) {
    received.back().last = more.last;
  } else {
    received.push_back(more);
  }
}

std::vector<Receiver::Processed> Receiver::unacknowledged_deliveries() const {
  std::vector<Processed> sent_before;
  for (const Sent& sent : unacknowledged_) {
    if (sent.source == 0) continue;
    of_source(sent_before, sent.source).add({.first = sent.last - sent.messages + 1, .last = sent.last});
  }
  return sent_before;
}

Result<std::vector<Receiver::Processed>> Receiver::on_ack(std::uint64_t seq, TimePoint now) {
  if (seq > sent_seq_) return fail(Errc::protocol_violation, "It acknowledges what it was never sent.");
  std::vector<Processed> processed;
  while (!unacknowledged_.empty()) {
    Sent& sent = unacknowledged_.front();
    const std::uint64_t before = sent.seq - sent.messages;
    if (seq <= before) break;
    const std::uint64_t messages = std::min(seq, sent.seq) - before;
    const bool whole = messages == sent.messages;
    const Bytes bytes = whole ? sent.bytes : sent.bytes / sent.messages * messages;
    unacknowledged_bytes_ -= bytes;
    if (sent.source != 0) {
      books_.delivered += messages;
      unacknowledged_copies_ -= messages;
      const std::uint64_t last = sent.last - (sent.messages - messages);
      of_source(processed, sent.source).add({.first = last - messages + 1, .last = last});
    }
    sent.messages -= messages;
    sent.bytes -= bytes;
    if (!whole) break;
    unacknowledged_.take_front();
  }
  flush(now);
  return processed;
}

std::optional<Reason> Receiver::verdict(TimePoint now) {
  if (overflowed_) return Reason::slow_consumer;
  if (unacknowledged_.size() > limits::kUnacknowledged) return Reason::unacknowledged;
  if (!limits_.enabled || limits_.close_unwritable_after < Duration::zero()) return std::nullopt;
  std::optional<Reason> reason;
  const auto late = [&](TimePoint since) { return now - since >= limits_.close_unwritable_after; };
  if (const auto oldest = outbox_.oldest(); oldest && late(*oldest)) {
    reason = blocked_ ? Reason::slow_consumer : Reason::unacknowledged;
  } else if (windowed() && !unacknowledged_.empty() && late(unacknowledged_.front().at)) {
    reason = Reason::unacknowledged;
  }
  if (!limits_.dry_run) return reason;
  if (reason && !std::exchange(would_be_cut_, true)) ++stats_.would_cut;
  if (!reason) would_be_cut_ = false;
  return std::nullopt;
}

void Receiver::forget(std::uint64_t source, TimePoint now) {
  const std::uint64_t forgotten = outbox_.forget(source, now);
  books_.expired += forgotten;
  queued_copies_ -= forgotten;
  settle_account();
}

Bytes Receiver::shed(TimePoint now) {
  const std::uint64_t before = outbox_.stats().dropped;
  const Bytes bytes = outbox_.shed(now);
  note_dropped(outbox_.stats().dropped - before);
  return bytes;
}

void Receiver::give_up(std::uint64_t source, TimePoint now) {
  const std::uint64_t before = outbox_.stats().dropped;
  const std::vector<flow::Drop> drops = outbox_.give_up(source, now);
  note_dropped(outbox_.stats().dropped - before);
  (void)tell(drops, now, source);
}

void Receiver::note_dropped(std::uint64_t messages) {
  books_.gapped += messages;
  queued_copies_ -= messages;
  settle_account();
}

void Receiver::limits_changed(TimePoint now) {
  outbox_.set_limits(effective(limits_), now);
  flush(now);
}

void Receiver::settle_account() {
  const Bytes held = outbox_.bytes();
  if (held > charged_) account_->charge(held - charged_);
  if (held < charged_) account_->release(charged_ - held);
  charged_ = held;
}

Bytes Receiver::allowance() const {
  return windowed() ? limits_.window - unacknowledged_bytes_ : Bytes::max();
}

bool Receiver::has_room_for_request(Bytes size) const {
  if (overflowed_) return false;
  const bool in_time = !windowed() || unacknowledged_bytes_ == Bytes{} ||
                       unacknowledged_bytes_ + size <= limits_.window / limits::kRequestWindowShare;
  return in_time && (is_idle() || (writable() && outbox_.bytes() + size <= limits_.outbox.marks.high));
}

bool Receiver::has_room_for_reply(Bytes size) const {
  return !overflowed_ && outbox_.bytes() + size <= limits_.outbox.hard / limits::kReplyShare;
}

Duration Receiver::oldest(TimePoint now) const {
  TimePoint since = outbox_.oldest().value_or(now);
  if (!unacknowledged_.empty()) since = std::min(since, unacknowledged_.front().at);
  return now - since;
}

wire::hub::PressureSample Receiver::sample(TimePoint now) const {
  const auto oldest_ms = std::chrono::duration_cast<std::chrono::milliseconds>(oldest(now)).count();
  return {.waiting = waiting(),
          .unacknowledged = unacknowledged(),
          .oldest_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(oldest_ms, 0, UINT32_MAX)),
          .writable = writable()};
}

}  // namespace sluice::hub
