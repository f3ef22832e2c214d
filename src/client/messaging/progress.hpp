#pragma once

#include <cstdint>
#include <optional>

#include "client/messaging/ranges.hpp"
#include "wire/hub/message.hpp"

namespace sluice::messaging {

/// How far a client has come in one conversation: what it was given, what it was told that it will not be
/// given, and what is still open.
///
/// Pure. A gap may be told before messages that come ahead of it (`docs/wire/hub.md`: critical messages
/// overtake), and behind others; a connection that is lost between them leaves a hole, which the next one
/// fills. So each message comes out once, and each that never does was told as a gap. Bounded:
/// `limits::kClientHoles` of each kind, and twice that many ranges that are wanted.
class Progress {
 public:
  Progress();

  /// What came before it is not this client's. Changes nothing once anything is known.
  void begin_at(wire::hub::Position position);

  enum class Source : std::uint8_t { live, log };
  /// False: it was given before, and is not to be given again.
  [[nodiscard]] bool take(wire::hub::Position position, Source source);

  /// These will not come. A gap that names more offsets than messages says nothing about any one of them.
  void tell(const wire::hub::Gap& gap);

  /// These are given when they come, though they were told as gone, or are long past: they are pulled. With
  /// `last` 0: all from the first one on.
  void want(Range range);
  void forget_wanted(Range range) { wanted_.remove(range); }

  /// Everything up to there was given, or told. Nothing while nothing is known.
  [[nodiscard]] std::optional<wire::hub::Position> done() const;

 private:
  void note_skipped(Range skipped);
  void move_to(wire::hub::Position position);
  void absorb();

  bool known_ = false;
  wire::hub::Position top_{};  ///< The furthest that was given; or told, where nothing before is open.
  wire::hub::Position before_hole_{};  ///< With holes: the last position before the first of them.
  Ranges holes_;                       ///< Below `top_`: neither given nor told.
  Ranges told_;                        ///< Above `top_`: told already.
  std::uint64_t told_epoch_ = 0;
  Ranges wanted_;
};

}  // namespace sluice::messaging
