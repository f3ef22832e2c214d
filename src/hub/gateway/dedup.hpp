#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "crypto/short_hash.hpp"
#include "hub/gateway/message_print.hpp"
#include "hub/gateway/ranking.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Which messages came before: by conversation, sender and id, for some time.
///
/// Pure. Bounded in entries and age. When it is full, the oldest entry of the sender with the most goes, so
/// that nobody flushes another's: with n senders, one that has at most an n-th of the entries keeps all of
/// them. A sender that repeats itself after its entry has gone is delivered twice. All calls take constant
/// time, amortised. An entry takes about 64 bytes and a sender about 100, however long the names are: of
/// these only a hash is kept. Two messages with one hash would be taken for one; with 128 bits under a key
/// that nobody outside knows, a message meets any of 200,000 others so once in 10^33 times, whatever its
/// sender chooses as its id.
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
  /// What a message is known by in the other calls, and to the next run with the same key.
  [[nodiscard]] MessagePrint print_of(const Message& message) const;

  [[nodiscard]] std::optional<wire::hub::Position> find(const MessagePrint& print, TimePoint now);
  /// `now`: not before that of the call before.
  void remember(const MessagePrint& print, wire::hub::Position position, TimePoint now);
  /// The message there is to be as if it had never come: its next copy is a new one.
  void forget(const MessagePrint& print, wire::hub::Position position);

  [[nodiscard]] std::size_t size() const { return known_; }
  [[nodiscard]] std::size_t senders() const { return senders_.size(); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  /// A message; what was forgotten stays in its place until it is old.
  struct Entry {
    crypto::ShortHash hash;
    wire::hub::Position position;
    TimePoint at;
    std::uint32_t sender;
    std::uint32_t next_of_sender = kNone;
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
  };
  /// Its entries, the oldest first. Its number is where it stands; its count is in `ranking_`.
  struct Sender {
    std::uint64_t key;
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };

  [[nodiscard]] std::size_t place_of(const crypto::ShortHash& hash) const;
  [[nodiscard]] std::size_t begin_of(const crypto::ShortHash& hash) const;
  void clear(std::size_t place);
  void grow();
  void forget_old(TimePoint now);
  void make_room(std::uint64_t sender);
  void drop_oldest_of(std::uint32_t sender);
  [[nodiscard]] std::uint32_t sender_of(std::uint64_t key);
  [[nodiscard]] std::uint32_t add(Entry entry);

  crypto::ShortHashKey key_;
  Limits limits_;
  std::deque<Entry> entries_;
  std::vector<std::uint32_t> free_entries_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::unordered_map<std::uint64_t, std::uint32_t> senders_;  ///< Their numbers.
  std::vector<Sender> sender_records_;
  std::vector<std::uint32_t> free_senders_;
  Ranking ranking_;  ///< Of senders, by their entries.
  std::size_t known_ = 0;
  /// The entries that are known, plus one each, at the first free place from where the hash begins on (open
  /// addressing, linear probing); 0: free. A power of two, and never full.
  std::vector<std::uint32_t> places_;
};

}  // namespace sluice::hub
