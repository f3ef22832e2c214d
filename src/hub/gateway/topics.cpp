#include "hub/gateway/topics.hpp"

#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub {

Topic& Topics::of(const wire::hub::Conversation& conversation) {
  auto& topic = topics_[conversation];
  if (!topic) {
    topic = std::make_unique<Topic>(conversation, ++last_number_);
    numbers_.emplace(topic->number(), topic.get());
  }
  return *topic;
}

Topic* Topics::find(const wire::hub::Conversation& conversation) {
  const auto found = topics_.find(conversation);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* Topics::find(std::uint64_t number) {
  const auto found = numbers_.find(number);
  return found == numbers_.end() ? nullptr : found->second;
}

void Topics::add(Topic& topic, Subscription& subscription) {
  ENSURE(subscription.topic == nullptr && subscription.receiver != nullptr);
  subscription.topic = &topic;
  subscription.place = topic.subscribers_.size();
  topic.subscribers_.push_back(&subscription);
  ++topic.size_;
}

void Topics::remove(Subscription& subscription) {
  Topic& topic = *std::exchange(subscription.topic, nullptr);
  ENSURE(topic.subscribers_[subscription.place] == &subscription);
  --topic.size_;
  if (!topic.batches_.empty()) {
    // A batch is on its way down this list: nobody may change places.
    topic.subscribers_[subscription.place] = nullptr;
    return;
  }
  Subscription* const last = topic.subscribers_.back();
  last->place = subscription.place;
  topic.subscribers_[subscription.place] = last;
  topic.subscribers_.pop_back();
  erase_if_empty(topic);
}

void Topics::hand_out(const wire::hub::Conversation& conversation, SharedBatch batch) {
  Topic* const topic = find(conversation);
  if (topic == nullptr) return;  // the last one has left meanwhile
  if (topic->batches_.empty()) turns_.push_back(topic);
  topic->batches_.push_back(std::move(batch));
}

/// It has reached everyone; the topic is gone when that was the last and nobody is left.
void Topics::finish_batch(Topic& topic) {
  topic.batches_.pop_front();
  topic.next_ = 0;
  compact(topic);
  erase_if_empty(topic);
}

void Topics::compact(Topic& topic) {
  if (topic.size_ == topic.subscribers_.size()) return;
  std::erase(topic.subscribers_, nullptr);
  for (std::size_t place = 0; place < topic.subscribers_.size(); ++place)
    topic.subscribers_[place]->place = place;
}

void Topics::erase_if_empty(Topic& topic) {
  if (topic.size_ > 0 || !topic.batches_.empty()) return;
  numbers_.erase(topic.number());
  topics_.erase(topic.conversation_);
}

}  // namespace sluice::hub
