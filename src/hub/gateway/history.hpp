#pragma once

#include <cstdint>
#include <vector>

#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Where a client that names a position goes on.
struct Junction {
  wire::hub::Position
      from{};  ///< The last point that the client's history and this one share, as far as is known.
  enum class Is : std::uint8_t {
    shared,  ///< The client's position is a point of this history.
    parted,  ///< It is not: what it numbers behind `from` is not what the client has seen there.
  };
  Is is = Is::shared;
};

/// Which epoch each offset of a conversation belongs to, and so which positions are points of its history.
///
/// A position alone does not say that its offset is the same message here: a store may have been restored
/// from a backup, lost, or killed before it had stored what was numbered. As followers of a log do (Kafka's
/// leader epochs, KIP-101 and KIP-279; the log matching of Raft §5.3), the epoch decides: an epoch is begun
/// once, by one store, so whoever has it has everything before it too, and what differs lies behind its end.
///
/// Pure. As large as what it is given.
class History {
 public:
  /// `begins`: the first position of each epoch that numbered something, in order, at least one. `head`: the
  /// last position; of the last of these epochs or a later one.
  History(std::vector<wire::hub::Position> begins, wire::hub::Position head);

  /// What comes right before everything.
  [[nodiscard]] wire::hub::Position start() const;
  /// The last offset of an epoch; of one that numbered nothing here, that of the one before it.
  [[nodiscard]] std::uint64_t end_of(std::uint64_t epoch) const;
  /// A position, with an offset up to `end_of` its epoch, as one that everything behind it in this history is
  /// greater than. Clients may have an epoch that is later than the offset's, as a gap names that of its last
  /// offset alone.
  [[nodiscard]] wire::hub::Position placed(wire::hub::Position position) const;

  enum class Epoch : std::uint8_t {
    ours,     ///< This store has had it, whether it numbered anything here or not.
    foreign,  ///< It has not.
  };
  /// Where the history that has `position` parts from this one: at the end of the greatest epoch that both
  /// have.
  [[nodiscard]] Junction junction(wire::hub::Position position, Epoch epoch) const;

 private:
  [[nodiscard]] std::vector<wire::hub::Position>::const_iterator behind(std::uint64_t epoch) const;

  std::vector<wire::hub::Position> begins_;
  wire::hub::Position head_;
};

}  // namespace sluice::hub
