#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::webrtc {

enum class IpVersion : std::uint8_t { v4, v6 };

/// The sizes of SCTP packets that are worth trying on a path whose first link has this MTU, ascending.
std::vector<Bytes> path_mtu_candidates(Bytes link_mtu, IpVersion version);

/// Finds out how large a packet may be on its way to the peer, by packets that only pass when it may be so
/// large (RFC 8899, Datagram PLPMTUD): a probe that was answered is the proof, one that was not costs
/// nothing.
///
/// Pure. All candidates are tried at once, a few times, then the largest that passed is settled for good.
/// While it is above the base it is shown again and again to pass still; when it no longer does, the base is
/// what is left.
class PathMtu {
 public:
  PathMtu(Bytes base, std::vector<Bytes> candidates);

  /// The path is up: probes may go out.
  void start(TimePoint now);
  /// The sizes to be sent as probes now. To be asked for every `limits::kSctpTick` or so.
  [[nodiscard]] std::vector<Bytes> due(TimePoint now);
  void on_answer(Bytes size);

  /// What was shown to pass; the base at first.
  [[nodiscard]] Bytes proven() const { return proven_; }
  /// Whether an answer may still come.
  [[nodiscard]] bool waiting() const { return unanswered_ != 0; }
  /// Whether the first search is over, so that `proven` only ever falls from now on.
  [[nodiscard]] bool settled() const { return phase_ == Phase::settled; }

 private:
  enum class Phase : std::uint8_t { idle, searching, settled };

  [[nodiscard]] Bytes top() const { return candidates_.empty() ? base_ : candidates_.back(); }
  std::vector<Bytes> search(TimePoint now);
  std::vector<Bytes> confirm(TimePoint now);

  Bytes base_;
  std::vector<Bytes> candidates_;
  Bytes proven_;
  Phase phase_ = Phase::idle;
  TimePoint next_;
  int unanswered_ = 0;  ///< Rounds of probes since the last answer, or since the search began.
};

}  // namespace sluice::webrtc
