#include "hub/store/append_queue.hpp"

#include <utility>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "flow/fair_share.hpp"

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
  const auto known = senders_.find(append.message->from);
  const Share own = known == senders_.end() ? Share{} : known->second;
  const flow::Threshold messages{.limit = limits_.messages, .weight = limits::kStoreQueueWeight};
  const flow::Threshold bytes{.limit = limits_.bytes.count(), .weight = limits::kStoreQueueWeight};
  if (!messages.admits({.own = own.messages, .all = messages_}, 1) ||
      !bytes.admits({.own = own.bytes.count(), .all = bytes_.count()}, size.count()))
    return false;
  ++messages_;
  bytes_ += size;
  senders_[append.message->from] = {.messages = own.messages + 1, .bytes = own.bytes + size};
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
  for (const Append& append : taken) {
    const Bytes size = size_of(append);
    bytes_ -= size;
    const auto share = senders_.find(append.message->from);
    ENSURE(share != senders_.end() && share->second.messages > 0);
    share->second.bytes -= size;
    if (--share->second.messages == 0) senders_.erase(share);
  }
}

}  // namespace sluice::hub::store
