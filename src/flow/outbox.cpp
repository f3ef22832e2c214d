#include "flow/outbox.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::flow {
namespace {

std::string place_key(std::uint64_t source, std::string_view key) {
  return std::to_string(source).append(1, '/').append(key);
}

}  // namespace

std::size_t Outbox::Entry::bytes_of(std::size_t from, std::size_t to) const {
  return from == to ? 0 : item.frames->end_of(to - 1) - item.frames->begin_of(from);
}

Outbox::Outbox(OutboxLimits limits) : limits_(limits), mark_(limits.marks) {}

Outbox::Pushed Outbox::push(OutboxItem item, TimePoint now, std::size_t begun) {
  ENSURE(item.frames != nullptr && begun < item.frames->bytes().size());
  ENSURE(item.key.empty() || item.frames->count() == 1);
  stats_.pushed += item.frames->count();
  const Bytes size{item.frames->bytes().size() - begun};
  TimePoint queued = now;
  const std::optional<TimePoint> age = age_of_normal();
  if (item.urgency == Urgency::normal && begun == 0) {
    if (!item.key.empty()) {
      if (const auto same = keyed_.find(place_key(item.source, item.key)); same != keyed_.end()) {
        drop(same->second, same->second->frame, DropReason::conflated, now);
      }
    }
    if (limits_.drop_when_unwritable && !writable()) {
      if (item.policy == DropPolicy::newest) {
        note(item, 0, item.frames->count(), DropReason::newest);
        return Pushed::dropped;
      }
      make_room(size, now);
    }
  }
  if (age && normal_.empty()) queued = *age;  // no heir but the one that comes
  inherit(age);
  if (bytes_ + size > limits_.hard) return Pushed::overflow;
  enqueue(std::move(item), {.queued = queued, .now = now}, begun);
  return Pushed::queued;
}

void Outbox::enqueue(OutboxItem item, Times times, std::size_t begun) {
  Queue& queue = item.urgency == Urgency::critical ? critical_ : normal_;
  Entry entry{.item = std::move(item), .queued = times.queued};
  entry.end = entry.item.frames->count();
  while (entry.item.frames->end_of(entry.frame) <= begun) ++entry.frame;
  entry.begun = begun - entry.item.frames->begin_of(entry.frame);
  const Bytes size{entry.bytes()};
  waiting_ += entry.messages();
  queue.push_back(std::move(entry));
  const auto place = std::prev(queue.end());
  if (!place->item.key.empty() && place->begun == 0) {
    keyed_.insert_or_assign(place_key(place->item.source, place->item.key), place);
  }
  bytes_ += size;
  mark_.add(size, times.now);
}

std::optional<TimePoint> Outbox::oldest() const {
  std::optional<TimePoint> oldest;
  for (const Queue* queue : {&critical_, &normal_}) {
    if (!queue->empty() && (!oldest || queue->front().queued < *oldest)) oldest = queue->front().queued;
  }
  return oldest;
}

const Outbox::Queue& Outbox::turn() const {
  if (!normal_.empty() && normal_.front().begun > 0) return normal_;
  return critical_.empty() ? normal_ : critical_;
}

ByteView Outbox::front(Bytes allowance) const {
  const Queue& queue = turn();
  if (queue.empty()) return {};
  const Entry& entry = queue.front();
  const Frames& frames = *entry.item.frames;
  const std::size_t begin = frames.begin_of(entry.frame) + entry.begun;
  // A normal frame that was begun is finished, and no more of its kind goes while a critical one waits.
  const bool finish_only = &queue == &normal_ && entry.begun > 0 && !critical_.empty();
  std::size_t end = finish_only ? entry.frame + 1 : entry.end;
  if (entry.item.counted) {
    if (allowance == Bytes{} && entry.begun == 0) return {};
    const std::size_t most = begin + allowance.count();
    std::size_t allowed = entry.frame + 1;
    while (allowed < end && frames.end_of(allowed) <= most) ++allowed;
    end = allowed;
  }
  return frames.bytes().subspan(begin, frames.end_of(end - 1) - begin);
}

ByteView Outbox::rest_of_begun() const {
  const Queue& queue = turn();
  if (queue.empty() || queue.front().begun == 0) return {};
  const Entry& entry = queue.front();
  const Frames& frames = *entry.item.frames;
  const std::size_t begin = frames.begin_of(entry.frame) + entry.begun;
  return frames.bytes().subspan(begin, frames.end_of(entry.frame) - begin);
}

Outbox::Sent Outbox::advance(std::size_t bytes, TimePoint now) {
  auto& queue = const_cast<Queue&>(turn());
  ENSURE(!queue.empty() && bytes <= queue.front().bytes());
  const auto entry = queue.begin();
  const OutboxItem& item = entry->item;
  Sent sent{.source = item.source, .urgency = item.urgency, .begun = item.begun};
  const Frames& frames = *item.frames;
  const std::size_t reached = frames.begin_of(entry->frame) + entry->begun + bytes;
  while (entry->frame < entry->end && frames.end_of(entry->frame) <= reached) {
    sent.last = item.first + entry->frame;
    if (item.counted) {
      ++sent.counted;
      sent.counted_bytes += Bytes{frames.end_of(entry->frame) - frames.begin_of(entry->frame)};
    }
    ++sent.messages;
    ++entry->frame;
  }
  entry->begun = entry->frame < entry->end ? reached - frames.begin_of(entry->frame) : 0;
  if (!item.key.empty() && entry->begun > 0) keyed_.erase(place_key(item.source, item.key));
  bytes_ -= Bytes{bytes};
  mark_.drain(Bytes{bytes}, now);
  waiting_ -= sent.messages;
  stats_.sent += sent.messages;
  if (entry->frame == entry->end) erase(queue, entry);
  return sent;
}

std::optional<TimePoint> Outbox::age_of_normal() const {
  return normal_.empty() ? std::nullopt : std::optional{normal_.front().queued};
}

void Outbox::inherit(std::optional<TimePoint> age) {
  if (age && !normal_.empty()) normal_.front().queued = std::min(normal_.front().queued, *age);
}

void Outbox::make_room(Bytes needed, TimePoint now) {
  auto entry = normal_.begin();
  while (entry != normal_.end() && bytes_ + needed > limits_.marks.high)
    drop_unbegun(entry++, DropReason::oldest, now);
}

Bytes Outbox::shed(TimePoint now) {
  const Bytes before = bytes_;
  for (auto entry = normal_.begin(); entry != normal_.end();) drop_unbegun(entry++, DropReason::shed, now);
  return before - bytes_;
}

std::vector<Drop> Outbox::give_up(std::uint64_t source, TimePoint now) {
  const std::optional<TimePoint> age = age_of_normal();
  for (auto entry = normal_.begin(); entry != normal_.end();) {
    const auto given_up = entry++;
    if (given_up->item.source == source) drop_unbegun(given_up, DropReason::oldest, now);
  }
  inherit(age);
  return take_drops_if([source](const Drop& drop) { return drop.source == source; });
}

std::uint64_t Outbox::forget(std::uint64_t source, TimePoint now) {
  std::uint64_t forgotten = 0;
  for (Queue* const queue : {&critical_, &normal_}) {
    for (auto entry = queue->begin(); entry != queue->end();) {
      const auto following = std::next(entry);
      const std::size_t from = entry->frame + (entry->begun > 0 ? 1 : 0);
      const bool is_of_it = entry->item.source == source || entry->item.about == source;
      if (is_of_it && from < entry->end) {
        if (entry->item.source == source) forgotten += entry->end - from;
        take_off(*queue, entry, from, now);
      }
      entry = following;
    }
  }
  std::erase_if(drops_, [source](const Drop& drop) { return drop.source == source; });
  return forgotten;
}

void Outbox::drop_unbegun(Queue::iterator entry, DropReason reason, TimePoint now) {
  const std::size_t keep = entry->begun > 0 ? 1 : 0;
  if (entry->messages() > keep) drop(entry, entry->frame + keep, reason, now);
}

void Outbox::drop(Queue::iterator entry, std::size_t from, DropReason reason, TimePoint now) {
  note(entry->item, from, entry->end, reason);
  take_off(normal_, entry, from, now);
}

/// The frames of an entry from there on, and the entry itself when nothing of it is left.
void Outbox::take_off(Queue& queue, Queue::iterator entry, std::size_t from, TimePoint now) {
  const Bytes size{entry->bytes_of(from, entry->end)};
  const std::size_t messages = entry->end - from;
  bytes_ -= size;
  mark_.drain(size, now);
  waiting_ -= messages;
  if (from > entry->frame) {
    entry->end = from;
    return;
  }
  erase(queue, entry);
}

void Outbox::note(const OutboxItem& item, std::size_t from, std::size_t to, DropReason reason) {
  const std::uint64_t count = to - from;
  stats_.dropped += count;
  const auto of_the_same = [&](const Drop& drop) {
    return drop.source == item.source && drop.reason == reason;
  };
  const auto adjacent = [&](const Drop& drop) {
    return of_the_same(drop) && (drop.last + 1 == item.first + from || drop.first == item.first + to);
  };
  auto same = std::ranges::find_if(drops_, adjacent);
  if (same == drops_.end() && drops_.size() >= limits::kExactDrops)
    same = std::ranges::find_if(drops_, of_the_same);
  if (same == drops_.end()) {
    drops_.push_back({.source = item.source,
                      .first = item.first + from,
                      .last = item.first + to - 1,
                      .count = count,
                      .reason = reason});
    return;
  }
  same->first = std::min(same->first, item.first + from);
  same->last = std::max(same->last, item.first + to - 1);
  same->count += count;
}

void Outbox::erase(Queue& queue, Queue::iterator entry) {
  if (!entry->item.key.empty()) {
    const auto place = keyed_.find(place_key(entry->item.source, entry->item.key));
    if (place != keyed_.end() && place->second == entry) keyed_.erase(place);
  }
  queue.erase(entry);
}

template <typename Which>
std::vector<Drop> Outbox::take_drops_if(Which which) {
  std::vector<Drop> taken;
  std::ranges::copy_if(drops_, std::back_inserter(taken), which);
  std::erase_if(drops_, which);
  std::ranges::sort(taken, {}, &Drop::first);
  return taken;
}

std::vector<Drop> Outbox::take_drops() {
  return take_drops_if([](const Drop&) { return true; });
}

std::vector<Drop> Outbox::take_drops_before_next() {
  const Queue& queue = turn();
  if (drops_.empty() || &queue != &normal_ || queue.empty() || queue.front().begun > 0) return {};
  const Entry& next = queue.front();
  return take_drops_if([&next](const Drop& drop) {
    return drop.source == next.item.source && drop.first < next.item.first + next.frame;
  });
}

void Outbox::set_limits(OutboxLimits limits, TimePoint now) {
  limits_ = limits;
  mark_ = Watermark{limits.marks};
  mark_.add(bytes_, now);
}

}  // namespace sluice::flow
