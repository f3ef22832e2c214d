#include "hub/store/append_queue.hpp"

#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub::store {
namespace {

Bytes size_of(const Append& append) {
  const wire::hub::Delivery& message = *append.message;
  return limits::kRowOverhead + Bytes{message.content.bytes.size() + message.from.size() + message.id.size() +
                                      message.key.size() + message.to.name.size()};
}

}  // namespace

bool AppendQueue::push(Append append) {
  const Bytes size = size_of(append);
  if (messages_ >= limits_.messages || bytes_ + size > limits_.bytes) return false;
  ++messages_;
  bytes_ += size;
  waiting_.push_back(std::move(append));
  return true;
}

std::vector<Append> AppendQueue::take() {
  std::vector<Append> taken;
  Bytes bytes{};
  while (!waiting_.empty() && taken.size() < limits::kCommitMessages) {
    bytes += size_of(waiting_.front());
    if (bytes > limits::kCommitBytes && !taken.empty()) break;
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return taken;
}

void AppendQueue::settled(const std::vector<Append>& taken) {
  ENSURE(taken.size() <= messages_);
  messages_ -= taken.size();
  for (const Append& append : taken) bytes_ -= size_of(append);
}

}  // namespace sluice::hub::store
