#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Which messages came before: by conversation, sender and id, for some time.
///
/// Pure. Bounded in entries and age, the oldest go first: a sender that repeats itself later than that is
/// delivered twice.
class Dedup {
 public:
  struct Limits {
    std::size_t entries = limits::kDedupEntries;
    Duration age = limits::kDedupAge;
  };
  explicit Dedup(Limits limits) : limits_(limits) {}
  Dedup() : Dedup(Limits{}) {}

  struct Message {
    const wire::hub::Conversation& to;
    std::string_view from;
    std::string_view id;
  };
  [[nodiscard]] std::optional<wire::hub::Position> find(const Message& message, TimePoint now);
  void remember(const Message& message, wire::hub::Position position, TimePoint now);
  /// The one there is to be as if it had never come: its next copy is a new message.
  void forget(const Message& message, wire::hub::Position position);

  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  void forget_old(TimePoint now);
  void forget_oldest();

  struct Entry {
    std::string key;
    wire::hub::Position position;
    TimePoint at;
  };
  Limits limits_;
  std::unordered_map<std::string, wire::hub::Position> known_;
  std::deque<Entry> order_;
};

}  // namespace sluice::hub
