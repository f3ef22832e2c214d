#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "crypto/short_hash.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Which messages came before: by conversation, sender and id, for some time.
///
/// Pure. Bounded in entries and age, the oldest go first: a sender that repeats itself later than that is
/// delivered twice. About 55 bytes each, however long the names are: of these only a hash is kept. Two
/// messages with one hash would be taken for one; with 128 bits under a key that nobody outside knows, a
/// message meets any of 200,000 others so once in 10^33 times, whatever its sender chooses as its id.
class Dedup {
 public:
  struct Limits {
    std::size_t entries = limits::kDedupEntries;  ///< At least one.
    Duration age = limits::kDedupAge;
  };
  Dedup(const crypto::ShortHashKey& key, Limits limits);
  explicit Dedup(const crypto::ShortHashKey& key) : Dedup(key, Limits{}) {}

  struct Message {
    const wire::hub::Conversation& to;
    std::string_view from;
    std::string_view id;
  };
  [[nodiscard]] std::optional<wire::hub::Position> find(const Message& message, TimePoint now);
  void remember(const Message& message, wire::hub::Position position, TimePoint now);
  /// The one there is to be as if it had never come: its next copy is a new message.
  void forget(const Message& message, wire::hub::Position position);

  [[nodiscard]] std::size_t size() const { return known_; }

 private:
  struct Entry {
    crypto::ShortHash hash;
    wire::hub::Position position;
    TimePoint at;
  };

  [[nodiscard]] crypto::ShortHash hash_of(const Message& message) const;
  [[nodiscard]] const Entry& entry(std::uint64_t number) const { return order_[number - first_]; }
  [[nodiscard]] std::size_t place_of(const crypto::ShortHash& hash) const;
  [[nodiscard]] std::size_t begin_of(const crypto::ShortHash& hash) const;
  void clear(std::size_t place);
  void grow();
  void forget_old(TimePoint now);
  void forget_oldest();

  crypto::ShortHashKey key_;
  Limits limits_;
  std::deque<Entry> order_;  ///< Those that were forgotten stay until they are old.
  std::uint64_t first_ = 1;  ///< The number of the oldest; they count on from there.
  std::size_t known_ = 0;
  /// The numbers of those that are known, each at the first free place from where its hash begins on (open
  /// addressing, linear probing); 0: free. A power of two, and never full.
  std::vector<std::uint64_t> places_;
};

}  // namespace sluice::hub
