#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "hub/config/settings.hpp"
#include "hub/store/message.hpp"

namespace sluice::hub::service {

/// How long the store is to keep messages, by the settings of now. Any thread: the store's asks, the owner's
/// changes it.
class LiveRetention {
 public:
  explicit LiveRetention(const config::Settings& settings) { set(settings); }

  /// From the next message on.
  void set(const config::Settings& settings) {
    auto fresh = std::make_shared<const config::Retentions>(settings);
    const std::scoped_lock lock{mutex_};
    retentions_ = std::move(fresh);
  }

  [[nodiscard]] store::Retention of(const wire::hub::Conversation& conversation) const {
    const config::Retention kept = now()->of(conversation);
    return {.age = std::chrono::ceil<std::chrono::milliseconds>(kept.max_age),
            .count = kept.max_messages,
            .bytes = kept.max_bytes};
  }

 private:
  [[nodiscard]] std::shared_ptr<const config::Retentions> now() const {
    const std::scoped_lock lock{mutex_};
    return retentions_;
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const config::Retentions> retentions_;
};

}  // namespace sluice::hub::service
