#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing.hpp"
#include "hub/store/store.hpp"

/// Folders that go with a test, and whoever waits for a store's outcomes.
namespace sluice::hub::store::testing {

/// With a place for a store in it.
class TemporaryFolder : public sluice::testing::TemporaryFolder {
 public:
  [[nodiscard]] std::string store() const { return (path() / "store").string(); }
  [[nodiscard]] std::filesystem::path database() const { return path() / "store" / "messages.db"; }
};

/// Collects outcomes by ticket. Outlives the store.
class Outcomes {
 public:
  OnStored listener() {
    return [this](std::uint32_t shard, std::vector<Completion> completions) {
      const std::scoped_lock lock{mutex_};
      ++calls_;
      for (Completion& completion : completions) {
        order_[shard].push_back(completion.ticket);
        outcomes_.emplace(completion.ticket, std::move(completion.outcome));
      }
      changed_.notify_all();
    };
  }
  /// Waits for it; generous, since it only decides when a hang is noticed.
  Status of(std::uint64_t ticket) {
    std::unique_lock lock{mutex_};
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return outcomes_.contains(ticket); });
    if (!came) return fail(Errc::timed_out, "no outcome of " + std::to_string(ticket));
    return outcomes_.at(ticket);
  }
  std::vector<std::uint64_t> order(std::uint32_t shard) {
    const std::scoped_lock lock{mutex_};
    return order_[shard];
  }
  std::size_t count() {
    const std::scoped_lock lock{mutex_};
    return outcomes_.size();
  }
  std::size_t calls() {
    const std::scoped_lock lock{mutex_};
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Status> outcomes_;
  std::map<std::uint32_t, std::vector<std::uint64_t>> order_;
  std::size_t calls_ = 0;
};

inline Conversation inbox(std::string user) {
  return {.kind = Conversation::Kind::user, .name = std::move(user)};
}
inline Conversation group(std::string name) {
  return {.kind = Conversation::Kind::group, .name = std::move(name)};
}

inline std::shared_ptr<wire::hub::Delivery> message(Conversation to, Position at,
                                                    std::string content = "text") {
  return std::make_shared<wire::hub::Delivery>(
      wire::hub::Delivery{.from = "alice",
                          .to = std::move(to),
                          .id = "m" + std::to_string(at.offset),
                          .position = at,
                          .sent_at = 1'000'000,
                          .content = {.kind = wire::hub::Content::Kind::text, .bytes = std::move(content)}});
}

}  // namespace sluice::hub::store::testing
