#include "client/messaging/recent_messages.hpp"

#include <utility>

namespace sluice::messaging {

bool RecentMessages::is_repeated(const wire::hub::Delivery& delivery, TimePoint now) {
  // Names hold no zero bytes.
  std::string name(1, static_cast<char>(delivery.to.kind));
  name.append(delivery.to.name).append(1, '\0').append(delivery.from).append(1, '\0').append(delivery.id);
  const std::uint64_t epoch = delivery.position.epoch;
  const auto [known, is_new] = known_.try_emplace(name, Known{.epoch = epoch, .at = now});
  if (!is_new) {
    const bool repeated = known->second.epoch < epoch && now - known->second.at < limits::kDedupAge;
    known->second = {.epoch = epoch, .at = repeated ? known->second.at : now};
    return repeated;
  }
  order_.push_back(std::move(name));
  if (order_.size() > limits::kClientRecent) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  return false;
}

}  // namespace sluice::messaging
