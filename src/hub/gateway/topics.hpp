#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "hub/gateway/batch.hpp"
#include "hub/gateway/receiver.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

class Topic;

/// One connection's interest in one conversation. Owned by the connection, known to the topic.
struct Subscription {
  Receiver* receiver = nullptr;
  std::uint64_t owner = 0;  ///< The connection's id.
  Topic* topic = nullptr;
  std::size_t place = 0;   ///< In the topic's list.
  std::uint64_t last = 0;  ///< The offset up to which it was given everything.
  bool live = false;       ///< Otherwise it catches up from the log, and batches pass it by.
  bool reading = false;    ///< A page was asked for.
  bool presence = false;
  flow::Urgency urgency = flow::Urgency::critical;  ///< Of what it was handed last.
};

/// The subscribers of a conversation on this shard.
class Topic {
 public:
  Topic(wire::hub::Conversation conversation, std::uint64_t number)
      : conversation_(std::move(conversation)), number_(number) {}

  [[nodiscard]] const wire::hub::Conversation& conversation() const { return conversation_; }
  /// What receivers know it by; never used twice, never 0.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class Topics;
  wire::hub::Conversation conversation_;
  std::uint64_t number_;
  std::vector<Subscription*> subscribers_;  ///< Null where one has left while a batch was being handed out.
  std::size_t size_ = 0;
  std::list<SharedBatch> batches_;  ///< To be handed out, the first of them from `next_` on.
  std::size_t next_ = 0;
};

/// Hands batches out to the subscribers of this shard, a bounded slice at a time, each conversation's in
/// their order.
///
/// Pure. One shard. A batch waits until those of its conversation before it have reached everyone. Other
/// conversations have their turn in between, so that large messages to many do not hold up the rest. What
/// waits here is shared by all receivers, so it is not bounded by itself but by what homes hand out at a
/// time.
class Topics {
 public:
  /// The topic of a conversation, made when it is new.
  Topic& of(const wire::hub::Conversation& conversation);
  [[nodiscard]] Topic* find(const wire::hub::Conversation& conversation);
  [[nodiscard]] Topic* find(std::uint64_t number);

  void add(Topic& topic, Subscription& subscription);
  /// A topic that nobody is left at is gone.
  void remove(Subscription& subscription);

  void hand_out(const wire::hub::Conversation& conversation, SharedBatch batch);
  /// Reaches at most so many subscribers, with `limits::kFanoutTurnBytes` at most. Calls `touched` for each
  /// receiver that was given something. True: there is more to do.
  template <typename Touched>
  bool work(std::size_t slice, TimePoint now, Touched&& touched);

  template <typename Visit>
  void each_subscriber(const wire::hub::Conversation& conversation, Visit&& visit);

 private:
  /// What is left of a turn.
  struct Slice {
    std::size_t receivers;
    Bytes bytes;
    [[nodiscard]] bool used_up() const { return receivers == 0 || bytes == Bytes{}; }
    void take(Bytes size) {
      --receivers;
      bytes -= std::min(bytes, size);
    }
  };
  /// False: the slice is used up before the topic's first batch has reached everyone.
  template <typename Touched>
  [[nodiscard]] bool work_on(Topic& topic, Slice& slice, TimePoint now, Touched& touched);
  void finish_batch(Topic& topic);
  static void compact(Topic& topic);
  void erase_if_empty(Topic& topic);

  std::map<wire::hub::Conversation, std::unique_ptr<Topic>> topics_;
  std::map<std::uint64_t, Topic*> numbers_;
  std::uint64_t last_number_ = 0;
  std::deque<Topic*> turns_;  ///< Those that have batches.
};

template <typename Touched>
bool Topics::work(std::size_t slice, TimePoint now, Touched&& touched) {
  Slice whole{.receivers = slice, .bytes = limits::kFanoutTurnBytes};
  while (!turns_.empty()) {
    if (whole.used_up()) return true;
    Topic& topic = *turns_.front();
    turns_.pop_front();
    Slice part{.receivers = std::min(whole.receivers, limits::kFanoutTopicSlice),
               .bytes = std::min(whole.bytes, limits::kFanoutTopicBytes)};
    const Slice before = part;
    bool is_left = true;
    while (is_left && work_on(topic, part, now, touched)) {
      is_left = topic.batches_.size() > 1;
      finish_batch(topic);
    }
    if (is_left) turns_.push_back(&topic);
    whole.receivers -= before.receivers - part.receivers;
    whole.bytes -= before.bytes - part.bytes;
  }
  return false;
}

template <typename Touched>
bool Topics::work_on(Topic& topic, Slice& slice, TimePoint now, Touched& touched) {
  const Batch& batch = *topic.batches_.front();
  for (; topic.next_ < topic.subscribers_.size(); ++topic.next_) {
    if (slice.used_up()) return false;
    Subscription* const subscription = topic.subscribers_[topic.next_];
    if (subscription == nullptr || !subscription->live || batch.first <= subscription->last) continue;
    subscription->last = batch.last();
    const bool was_normal = std::exchange(subscription->urgency, batch.urgency) == flow::Urgency::normal;
    if (was_normal && batch.urgency == flow::Urgency::critical)
      subscription->receiver->give_up(topic.number(), now);
    subscription->receiver->deliver(topic.number(), batch, now);
    touched(*subscription);
    slice.take(batch.size_in(subscription->receiver->encoding()));
  }
  return true;
}

template <typename Visit>
void Topics::each_subscriber(const wire::hub::Conversation& conversation, Visit&& visit) {
  const Topic* const topic = find(conversation);
  if (topic == nullptr) return;
  for (Subscription* const subscription : topic->subscribers_) {
    if (subscription != nullptr) visit(*subscription);
  }
}

}  // namespace sluice::hub
