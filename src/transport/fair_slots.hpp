#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "transport/address_block.hpp"

namespace sluice::transport {

/// How long a slot may be held: `longest` while at most a quarter of the slots are taken, linearly less above
/// that, `shortest` when all are.
struct Patience {
  Duration longest;
  Duration shortest;

  bool operator==(const Patience&) const = default;
};

/// A limited number of slots for peers that have not proved who they are, shared fairly by address blocks.
///
/// When all are taken a newcomer is not rejected: the block that holds most slots gives one up, namely the
/// one that it has held for longest. So a peer that completes its handshake in time needs only one slot at a
/// time, whoever else holds the others and however often they come back, and while nobody else wants them one
/// block may have all. Of an IPv6 /48 that holds most, its /64 that holds most gives way.
///
/// Sans-I/O. Bounded by `slots`. Each operation is O(log slots).
class FairSlots {
 public:
  using Id = std::uint64_t;

  explicit FairSlots(std::size_t slots) : slots_(slots) {}

  /// Takes a slot for an id that has none. Returns the id that gives way for it, which has no slot any more.
  [[nodiscard]] std::optional<Id> take(Id id, const AddressBlocks& from, TimePoint now);
  /// The same for an owner that calls `evict` later, while `is_over`.
  void add(Id id, const AddressBlocks& from, TimePoint now);
  [[nodiscard]] bool is_over() const { return held_.size() > slots_; }
  /// Nothing happens if it has none, because it gave way.
  void give_back(Id id);
  /// Its address turned out to be another one; it has held its slot for as long as before.
  void move(Id id, const AddressBlocks& to);

  /// Takes the slot away that was held for longest, in the block that holds most.
  [[nodiscard]] std::optional<Id> evict();
  /// The same among those of one block (narrow or wide) alone.
  [[nodiscard]] std::optional<Id> evict_from(const std::string& block);
  /// Takes away the slots that have been held for longer than the load permits.
  [[nodiscard]] std::vector<Id> expire(TimePoint now, Patience patience);

  /// Those that hold a slot beyond the new number keep it until a newcomer comes.
  void set_slots(std::size_t slots) { slots_ = slots; }

  [[nodiscard]] Duration allowed(Patience patience) const;
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  [[nodiscard]] bool is_full() const { return held_.size() >= slots_; }
  [[nodiscard]] bool holds(Id id) const { return held_.contains(id); }
  /// How many the wide block of an address holds, and the block that holds most.
  [[nodiscard]] std::size_t held_by(const AddressBlocks& from) const;
  [[nodiscard]] std::size_t largest_share() const;

 private:
  /// In the order in which slots were taken.
  using Turn = std::uint64_t;
  using Turns = std::set<Turn>;
  /// How many, and then the older one: the last of a map gives way first.
  using Rank = std::pair<std::size_t, Turn>;
  struct Wide {
    Turns turns;
    std::unordered_map<std::string, Turns> narrow;
    std::map<Rank, std::string> ranking;  ///< Of `narrow`.
  };
  struct Slot {
    Turn turn;
    AddressBlocks from;
  };
  struct Holder {
    Id id;
    TimePoint since;
  };

  [[nodiscard]] static Rank rank_of(const Turns& turns) { return {turns.size(), ~*turns.begin()}; }
  void insert(Turn turn, const AddressBlocks& from);
  void remove(Turn turn, const AddressBlocks& from);
  [[nodiscard]] Id evict_of(const Wide& wide);

  std::size_t slots_;
  Turn last_turn_ = 0;
  std::unordered_map<Id, Slot> held_;
  std::map<Turn, Holder> holders_;
  std::unordered_map<std::string, Wide> blocks_;
  std::map<Rank, std::string> ranking_;  ///< Of `blocks_`.
};

}  // namespace sluice::transport
