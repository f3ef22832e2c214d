#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

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
  std::size_t jobs_ = 0;
};

/// Hands batches out to the subscribers of this shard, a bounded slice at a time, in order.
///
/// Pure. One shard. A batch waits until those before it have reached everyone: what waits here is shared by
/// all receivers, so it is not bounded by itself but by what homes hand out at a time.
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
  /// Reaches at most so many subscribers. Calls `touched` for each receiver that was given something. True:
  /// there is more to do.
  template <typename Touched>
  bool work(std::size_t slice, TimePoint now, Touched&& touched);

  template <typename Visit>
  void each_subscriber(const wire::hub::Conversation& conversation, Visit&& visit);

 private:
  struct Job {
    Topic* topic;
    SharedBatch batch;
    std::size_t next = 0;
  };
  void finish_job();
  void compact(Topic& topic);
  void erase_if_empty(Topic& topic);

  std::map<wire::hub::Conversation, std::unique_ptr<Topic>> topics_;
  std::map<std::uint64_t, Topic*> numbers_;
  std::uint64_t last_number_ = 0;
  std::deque<Job> jobs_;
};

template <typename Touched>
bool Topics::work(std::size_t slice, TimePoint now, Touched&& touched) {
  while (!jobs_.empty()) {
    Job& job = jobs_.front();
    for (; job.next < job.topic->subscribers_.size(); ++job.next) {
      if (slice == 0) return true;
      Subscription* const subscription = job.topic->subscribers_[job.next];
      if (subscription == nullptr || !subscription->live || job.batch->first <= subscription->last) continue;
      subscription->last = job.batch->last();
      const bool was_normal =
          std::exchange(subscription->urgency, job.batch->urgency) == flow::Urgency::normal;
      if (was_normal && job.batch->urgency == flow::Urgency::critical)
        subscription->receiver->give_up(job.topic->number(), now);
      subscription->receiver->deliver(job.topic->number(), *job.batch, now);
      touched(*subscription);
      --slice;
    }
    finish_job();
  }
  return false;
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
