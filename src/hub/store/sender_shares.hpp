#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "core/sender_limits.hpp"
#include "crypto/short_hash.hpp"
#include "hub/store/message.hpp"

namespace sluice::hub::store {

/// Whose messages fill an inbox, and whose the whole store, so that what has to go is theirs: a sender who
/// holds no more than half of an equal part is protected, and another's messages go, the oldest first.
///
/// Pure, one thread: the writer's. Senders are known by a keyed hash. Bounded: `limits::kTalliedInboxes`
/// inboxes, those that were at their bounds last, with `limits::kTalliedSenders` together; and
/// `limits::kSenderClasses` classes of senders for the store. What is not known yet is not protected.
/// Since some sender always holds more than half of an equal part, there is always something that may go.
class SenderShares {
 public:
  explicit SenderShares(const crypto::ShortHashKey& key) : key_(key), classes_(limits::kSenderClasses) {}

  using Sender = std::uint64_t;
  [[nodiscard]] Sender sender(std::string_view name) const;

  struct Held {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
  };
  /// An inbox at its bounds, by sender.
  class Inbox {
   public:
    void add(Sender sender, Held more);
    void take_off(Sender sender, std::uint64_t bytes);
    [[nodiscard]] bool protects(Sender sender, const Retention& bounds) const;
    [[nodiscard]] std::size_t senders() const { return held_.size(); }
    Position looked_up_to{};  ///< What is left before it was protected when it was looked at.

   private:
    std::unordered_map<Sender, Held> held_;
  };
  /// Null: its senders are not known.
  [[nodiscard]] Inbox* inbox(std::int64_t conversation);
  /// What the inbox holds at this moment.
  Inbox& know(std::int64_t conversation, Inbox inbox);

  /// SQLite gives the highest `seq` of a row that went to the next one: what the census has yet to come to is
  /// counted there and nowhere else.
  void added(std::int64_t conversation, std::int64_t seq, Sender sender, std::uint64_t bytes);
  void removed(std::int64_t conversation, std::int64_t seq, Sender sender, std::uint64_t bytes);

  /// The store as a whole: rows up to `last` are counted in slices after a start, later ones as they come.
  /// The beginning forgets what was counted before.
  void begin_census(std::int64_t last);
  [[nodiscard]] bool is_complete() const { return counted_to_ >= census_end_; }
  [[nodiscard]] std::int64_t counted_to() const { return counted_to_; }
  [[nodiscard]] std::int64_t census_end() const { return census_end_; }
  void count(std::int64_t seq, Sender sender, std::uint64_t bytes);
  void end_census();
  [[nodiscard]] bool protects(Sender sender) const;

  /// What the transaction under way has changed, by which it, or the end of it, is undone when the database
  /// takes it back. Of the store as a whole all is then as before; inboxes have to be counted again.
  [[nodiscard]] std::size_t changes() const { return changes_.size(); }
  void undo(std::size_t down_to);
  void committed() { changes_.clear(); }

 private:
  struct Known {
    Inbox inbox;
    std::list<std::int64_t>::iterator place;
  };
  struct Change {
    Sender sender;
    std::uint64_t more;  ///< Bytes of its class.
    std::uint64_t less;
    std::int64_t counted_to;  ///< Before it.
  };
  [[nodiscard]] bool is_left_to_census(std::int64_t seq) const;
  void forget(std::int64_t conversation);
  void forget_beyond_limits();
  void add_to_class(Sender sender, std::uint64_t bytes);
  void take_off_class(Sender sender, std::uint64_t bytes);

  crypto::ShortHashKey key_;
  std::unordered_map<std::int64_t, Known> inboxes_;
  std::list<std::int64_t> order_;       ///< The one that was used last in front.
  std::size_t senders_ = 0;             ///< Of all inboxes, when they were counted.
  std::vector<std::uint64_t> classes_;  ///< Bytes of each.
  std::size_t used_classes_ = 0;
  std::uint64_t bytes_ = 0;  ///< Of all.
  std::int64_t census_end_ = 0;
  std::int64_t counted_to_ = 0;
  std::vector<Change> changes_;  ///< Bounded by what a transaction may add, remove and count.
};

}  // namespace sluice::hub::store
