#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "client/messaging/ranges.hpp"
#include "wire/hub/message.hpp"

namespace sluice::messaging {

/// How far a client has come in one conversation: what it was given, what it was told that it will not be
/// given, and what is still open.
///
/// Pure. A gap may be told before messages that come ahead of it (`docs/wire/hub.md`: critical messages
/// overtake), and behind others; a connection that is lost between them leaves a hole, which the next one
/// fills. So each message comes out once, and each that never does was told as a gap. Bounded:
/// `limits::kClientHoles` of each kind, twice that many ranges that are wanted, and as many gaps that are
/// filled as its owner fills at a time.
class Progress {
 public:
  Progress();

  /// What came before it is not this client's. Changes nothing once anything is known.
  void begin_at(wire::hub::Position position);

  /// The hub's history is another one: what comes next is what it has behind this position, whatever was
  /// given before. What is wanted, or being filled, up to there is still to come.
  void go_on_from(wire::hub::Position from);
  /// The history may be another one, and the hub has not said so: the next message shows it.
  void doubt() { doubted_ = known_; }
  /// Whether this message, which is live or from the log, shows that it is. It is asked before `take`.
  [[nodiscard]] bool is_refuted_by(wire::hub::Position position);

  enum class Source : std::uint8_t { live, log };
  /// False: it was given before, and is not to be given again.
  [[nodiscard]] bool take(wire::hub::Position position, Source source);

  /// These will not come. A gap that names more offsets than messages says nothing about any one of them.
  void tell(const wire::hub::Gap& gap);

  /// These are given when they come, though they were told as gone, or are long past: they are pulled. With
  /// `last` 0: all from the first one on.
  void want(Range range);
  void forget_wanted(Range range) { wanted_.remove(range); }

  /// A gap that is to be filled before anything else is said of it: `tell` and `want`, and `done` stays
  /// before it until it is filled.
  void fill(const wire::hub::Gap& gap);
  /// All that there is of it was given, or told, up to there.
  void filled_to(wire::hub::Position position);
  /// So was the rest of it, or its owner was told that it will not come.
  void filled(Range gap);

  /// Everything up to there was given, or told, or is being filled: what another connection of the same
  /// session goes on from. Nothing while nothing is known.
  [[nodiscard]] std::optional<wire::hub::Position> reached() const;
  /// The same, but for what is being filled: what another process goes on from.
  [[nodiscard]] std::optional<wire::hub::Position> done() const;

 private:
  void note_skipped(Range skipped);
  void move_to(wire::hub::Position position);
  void absorb();
  void advance_filling(wire::hub::Position to);

  bool known_ = false;
  bool doubted_ = false;
  wire::hub::Position top_{};  ///< The furthest that was given; or told, where nothing before is open.
  wire::hub::Position before_hole_{};  ///< With holes: the last position before the first of them.
  Ranges holes_;                       ///< Below `top_`: neither given nor told.
  Ranges told_;                        ///< Above `top_`: told already.
  std::uint64_t told_epoch_ = 0;
  Ranges wanted_;
  /// A gap that is being filled, as far as that is still to be done.
  struct Filling {
    Range rest;
    wire::hub::Position before;  ///< The last position before it.
  };
  std::vector<Filling> filling_;
};

}  // namespace sluice::messaging
